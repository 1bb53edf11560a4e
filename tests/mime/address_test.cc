#include "server/mime/address.h"

#include <gtest/gtest.h>

#include "common/limits.h"

namespace twinspool::mime {
namespace {

/// "name|route|mailbox|host" per mailbox, "name:" and ";" for groups, joined with blanks.
std::string Show(std::string_view value) {
  std::vector<Address> list;
  ParseAddressList(value, &list);
  std::string out;
  for (const Address& a : list) {
    out += out.empty() ? "" : " ";
    switch (a.kind) {
      case Address::Kind::kGroupStart:
        out += a.name + ":";
        break;
      case Address::Kind::kGroupEnd:
        out += ";";
        break;
      case Address::Kind::kMailbox:
        out += a.name + "|" + a.route + "|" + a.mailbox + "|" + a.host;
    }
  }
  return out;
}

TEST(Addresses, OrdinaryForms) {
  EXPECT_EQ(Show("a@b"), "||a|b");
  EXPECT_EQ(Show("a@b, <c@d>,E F <e@f>"), "||a|b ||c|d E F||e|f");
  EXPECT_EQ(Show("\"Q, \\\"R\\\"\" <q@r>"), "Q, \"R\"||q|r");
  EXPECT_EQ(Show("John Q. Public <j@p>"), "John Q. Public||j|p");
  EXPECT_EQ(Show("=?utf-8?Q?=C3=A9?= <e@x>"), "=?utf-8?Q?=C3=A9?=||e|x");
  EXPECT_EQ(Show("\"a b\"@c"), "||a b|c");
  EXPECT_EQ(Show("a@[127.0.0.1]"), "||a|[127.0.0.1]");
}

TEST(Addresses, CommentsNameAnAddressWithoutBrackets) {
  EXPECT_EQ(Show("a@b (Joe Doe)"), "Joe Doe||a|b");
  EXPECT_EQ(Show("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>"),
            "Pete||pete|silly.test");
  EXPECT_EQ(Show("a@b (x), c@d"), "x||a|b ||c|d");
}

TEST(Addresses, Groups) {
  EXPECT_EQ(Show("A Group:Ed <e@x>,j@y (J);"), "A Group: Ed||e|x J||j|y ;");
  EXPECT_EQ(Show("undisclosed-recipients:;"), "undisclosed-recipients: ;");
  EXPECT_EQ(Show("a@b, G:; , c@d"), "||a|b G: ; ||c|d");
  EXPECT_EQ(Show("open: a@b"), "open: ||a|b ;");
  EXPECT_EQ(Show("a:b:c:x@y"), "a: ; b: ; c: ||x|y ;");
}

TEST(Addresses, ObsoleteForms) {
  EXPECT_EQ(Show("Mary <@a.test,@b.test:m@c.test>"), "Mary|@a.test,@b.test|m|c.test");
  EXPECT_EQ(Show("joe . doe @ ex . test"), "||joe.doe|ex.test");
  EXPECT_EQ(Show(",, a@b ,,"), "||a|b");
}

TEST(Addresses, Garbage) {
  EXPECT_EQ(Show(""), "");
  EXPECT_EQ(Show(" ,;:"), ": ;");
  EXPECT_EQ(Show("root"), "||root|");
  EXPECT_EQ(Show("@host"), "|||host");
  EXPECT_EQ(Show("<>"), "|||");
  EXPECT_EQ(Show("N <>"), "N|||");
  EXPECT_EQ(Show("a@b <c@d>"), "a@b||c|d");
  EXPECT_EQ(Show("<a@b"), "||a|b");
  EXPECT_EQ(Show("<a@b, c@d"), "||a|b ||c|d");
  EXPECT_EQ(Show("<a@b> <c@d>"), "||a|b ||c|d");
  EXPECT_EQ(Show("a@b c@d, e@f"), "||a|b ||e|f");
  EXPECT_EQ(Show("\"open"), "||open|");
  EXPECT_EQ(Show("a@[1"), "||a|[1]");
  EXPECT_EQ(Show("x)y <a@b>)>"), "x y||a|b");
  EXPECT_EQ(Show("caf\xe9 <a@b>"), "caf\xe9||a|b");
}

TEST(Addresses, ListStopsAtTheLimit) {
  std::string value;
  for (std::size_t i = 0; i < 60'000; ++i) {
    value += "a@b,";
  }
  std::vector<Address> list;
  ParseAddressList(value, &list);
  EXPECT_LE(list.size(), limits::kAddressesMax + 1);
  EXPECT_GE(list.size(), limits::kAddressesMax);
}

}  // namespace
}  // namespace twinspool::mime
