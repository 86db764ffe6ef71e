// Commas, and digits of floats.

#include "json/writer.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

namespace thimble::json {
namespace {

TEST(Writer, PutsCommasBetweenValuesAlone) {
  std::string out;
  Writer writer(out);
  writer.Open('{').Member("a", 1).Key("b").Open('[').Add(nullptr).Text(",").Open('[').Close(']').Open('{').Close('}');
  writer.Close(']').Key("c").Floats({}).Member("d", Array{true, "x", Object{{"e", 0.5}}}).Close('}');
  EXPECT_EQ(out, R"({"a":1,"b":[null,",",[],{}],"c":[],"d":[true,"x",{"e":0.5}]})");
}

TEST(Writer, GoesOnWhereAnotherStoppedAndBeginsLinesAnew) {
  std::string out;
  Writer(out).Open('[').Add(1);
  Writer(out).Add(2);
  Writer(out).Open('"');
  out += "AAAA";
  Writer(out).Close('"').Close(']');
  out += '\n';
  Writer(out).Open('[').Close(']');
  EXPECT_EQ(out, "[1,2,\"AAAA\"]\n[]");
}

TEST(Writer, FloatsHaveTheFewestDigitsThatReadBack) {
  std::string out;
  Writer(out).Floats(std::vector<float>{0.1f, 1, -0.0f, 1e-12f, 16777216});
  EXPECT_EQ(out, "[0.1,1,-0,1e-12,16777216]");
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random() % 0x7F800000));
    out.clear();
    Writer(out).Floats({&value, 1});
    EXPECT_EQ(std::strtof(out.c_str() + 1, nullptr), value) << out;
  }
}

}  // namespace
}  // namespace thimble::json
