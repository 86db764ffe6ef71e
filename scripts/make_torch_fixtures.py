#!/usr/bin/env python3
"""Writes tests/fixtures/torch: one state dict, saved by PyTorch in both containers and several protocols of pickle.

The expected values stand in src/convert/torch_file_test.cc. Needs torch.
"""

import collections
import pathlib

import torch

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "torch"


def state_dict():
    shared = torch.arange(12, dtype=torch.float32) / 4
    attributed = torch.nn.Parameter(torch.arange(2, dtype=torch.float32))
    attributed.note = "kept by torch"
    state = collections.OrderedDict(
        whole=shared.view(3, 4),
        transposed=shared.view(3, 4).t(),
        behind=shared[8:],
        every_third=shared[1::3],
        single=(torch.arange(6, dtype=torch.float64) / 8).view(2, 3).t(),
        half=(torch.arange(6) / 4).to(torch.float16).view(2, 3),
        brain=(torch.arange(6) * 16).to(torch.bfloat16),
        parameter=torch.nn.Parameter(torch.arange(3, dtype=torch.float32) - 1),
        attributed=attributed,
        expanded=torch.tensor([2.5]).expand(2, 2),
        scalar=torch.tensor(7.0),
        empty=torch.zeros(0, 3),
        position_ids=torch.arange(4).view(1, 4),
        unsigned=torch.arange(3).to(torch.uint16),
    )
    state._metadata = collections.OrderedDict([("", {"version": 1})])
    return state


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for container, zipped, protocols in (("zip", True, (2, 4, 5)), ("legacy", False, (2, 4))):
        for protocol in protocols:
            torch.save(state_dict(), FOLDER / f"{container}_{protocol}.bin", pickle_protocol=protocol,
                       _use_new_zipfile_serialization=zipped)


if __name__ == "__main__":
    main()
