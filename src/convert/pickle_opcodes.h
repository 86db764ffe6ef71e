// The opcodes of pickles.

#ifndef THIMBLE_CONVERT_PICKLE_OPCODES_H_
#define THIMBLE_CONVERT_PICKLE_OPCODES_H_

#include <cstdint>
#include <string>

namespace thimble::convert {

// Those that state dicts are made of, as pickletools calls them. All others are refused.
struct PickleOpcodes {
  enum Opcode : std::uint8_t {
    kMark = '(',
    kStop = '.',
    kBinInt = 'J',
    kBinInt1 = 'K',
    kBinInt2 = 'M',
    kNone = 'N',
    kBinPersId = 'Q',
    kReduce = 'R',
    kShortBinString = 'U',
    kBinUnicode = 'X',
    kEmptyList = ']',
    kAppend = 'a',
    kBuild = 'b',
    kGlobal = 'c',
    kAppends = 'e',
    kBinGet = 'h',
    kLongBinGet = 'j',
    kBinPut = 'q',
    kLongBinPut = 'r',
    kSetItem = 's',
    kTuple = 't',
    kSetItems = 'u',
    kBinFloat = 'G',
    kEmptyDict = '}',
    kEmptyTuple = ')',
    kProto = 0x80,
    kTuple1 = 0x85,
    kTuple2 = 0x86,
    kTuple3 = 0x87,
    kNewTrue = 0x88,
    kNewFalse = 0x89,
    kLong1 = 0x8a,
    kShortBinUnicode = 0x8c,
    kStackGlobal = 0x93,
    kMemoize = 0x94,
    kFrame = 0x95,
  };
};

// "opcode INST (105)", by its number alone if it is not one that is refused.
std::string OpcodeText(std::uint8_t opcode);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_PICKLE_OPCODES_H_
