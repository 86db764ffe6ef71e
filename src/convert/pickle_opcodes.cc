// Names of opcodes, for messages.

#include "convert/pickle_opcodes.h"

#include <algorithm>
#include <iterator>

namespace thimble::convert {
namespace {

struct RefusedOpcode {
  std::uint8_t opcode;
  char name[16];  // No pointers, as in EncoderChoice.
};
constexpr RefusedOpcode kRefusedOpcodes[] = {
    {'0', "POP"},
    {'1', "POP_MARK"},
    {'2', "DUP"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {'F', "FLOAT"},
    {'I', "INT"},
    {'L', "LONG"},
    {'P', "PERSID"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'V', "UNICODE"},
    {'d', "DICT"},
    {'g', "GET"},
    {'i', "INST"},
    {'l', "LIST"},
    {'o', "OBJ"},
    {'p', "PUT"},
    {0x81, "NEWOBJ"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x8b, "LONG4"},
    {0x8d, "BINUNICODE8"},
    {0x8e, "BINBYTES8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

}  // namespace

std::string OpcodeText(std::uint8_t opcode) {
  const auto* found = std::find_if(std::begin(kRefusedOpcodes), std::end(kRefusedOpcodes),
                                   [&](const RefusedOpcode& known) { return known.opcode == opcode; });
  std::string text = "opcode ";
  if (found == std::end(kRefusedOpcodes)) return text + std::to_string(opcode);
  return text.append(found->name) + " (" + std::to_string(opcode) + ")";
}

}  // namespace thimble::convert
