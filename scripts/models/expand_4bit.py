#!/usr/bin/env python3
"""Makes a safetensors file of fp32 of one whose matrices have 4 bits: scripts/models/expand_4bit.py IN SHAPES OUT

A matrix NAME is kept as NAME.q4, nibbles of q + 8 with the low one first, and NAME.scales, one binary16 for each 32
consecutive elements; an element is q times its scale. SHAPES is JSON of name to shape. Other tensors are copied. Python's
standard library only.
"""

import array
import json
import struct
import sys

GROUP = 32


def main():
    source, shapes, target = sys.argv[1:]
    with open(source, "rb") as file:
        data = file.read()
    with open(shapes, encoding="utf-8") as file:
        shapes = json.load(file)
    begin = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)

    def raw(name, dtype):
        if header[name]["dtype"] != dtype:
            sys.exit(f"{source}: {name}: expected {dtype}, found {header[name]['dtype']}")
        first, last = header[name]["data_offsets"]
        return data[begin + first : begin + last]

    tensors, offset, out = {}, 0, []
    for name, shape in shapes.items():
        if name in header:
            if header[name]["dtype"] == "F32":
                values = raw(name, "F32")
            else:
                halves = raw(name, "F16")
                values = struct.pack(f"<{len(halves) // 2}f", *struct.unpack(f"<{len(halves) // 2}e", halves))
        else:
            packed, scales = raw(name + ".q4", "U8"), raw(name + ".scales", "F16")
            scales = struct.unpack(f"<{len(scales) // 2}e", scales)
            floats = array.array("f")
            for i, scale in enumerate(scales):
                for byte in packed[i * GROUP // 2 : (i + 1) * GROUP // 2]:
                    floats.append(((byte & 15) - 8) * scale)
                    floats.append(((byte >> 4) - 8) * scale)
            if sys.byteorder == "big":
                floats.byteswap()
            values = floats.tobytes()
        count = 4
        for size in shape:
            count *= size
        if len(values) != count:
            sys.exit(f"{source}: {name}: expected {count} bytes of fp32, found {len(values)}")
        tensors[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, offset + count]}
        offset += count
        out.append(values)
    text = json.dumps(tensors).encode()
    with open(target, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(out))


if __name__ == "__main__":
    main()
