// One line of POP3, one message of SASL PLAIN. More bad input: tests/scenarios/pop3.
#include "server/pop3/command.h"

#include <string>

#include <gtest/gtest.h>

namespace twinspool::pop3 {
namespace {

std::string_view ErrorOf(std::string_view line) {
  std::string_view error;
  EXPECT_FALSE(ParseCommand(line, &error)) << line;
  return error;
}

Command Parsed(std::string_view line) {
  std::string_view error;
  const auto command = ParseCommand(line, &error);
  EXPECT_TRUE(command) << line << ": " << error;
  return command.value_or(Command{});
}

TEST(Pop3Command, NamesAreOfAnyCase) {
  EXPECT_EQ(Parsed("StAt").verb, Verb::kStat);
  EXPECT_EQ(Parsed("quit").verb, Verb::kQuit);
  EXPECT_EQ(ErrorOf("STATS"), "Unknown command");
  EXPECT_EQ(ErrorOf("STA"), "Unknown command");
  EXPECT_EQ(ErrorOf(""), "Unknown command");
  EXPECT_EQ(ErrorOf(" STAT"), "Unknown command");
}

TEST(Pop3Command, TextKeepsItsBlanks) {
  EXPECT_EQ(Parsed("PASS  two words ").text, " two words ");
  EXPECT_EQ(Parsed("USER anna").text, "anna");
  EXPECT_EQ(ErrorOf("PASS"), "This command needs something behind it");
}

TEST(Pop3Command, Numbers) {
  EXPECT_EQ(Parsed("RETR 12").message, 12u);
  EXPECT_EQ(Parsed("RETR  0012 ").message, 12u);
  EXPECT_EQ(Parsed("LIST").message, std::nullopt);
  EXPECT_EQ(Parsed("LIST ").message, std::nullopt);
  EXPECT_EQ(Parsed("LIST 3").message, 3u);
  const Command top = Parsed("TOP 2  7");
  EXPECT_EQ(top.message, 2u);
  EXPECT_EQ(top.lines, 7u);
  for (const char* bad : {"RETR", "RETR +1", "RETR 1,2", "RETR 1 2", "TOP 1", "TOP  ", "LIST a",
                          "DELE 18446744073709551616", "RETR \t1", "RETR 0x1"}) {
    ErrorOf(bad);
  }
}

}  // namespace
}  // namespace twinspool::pop3
