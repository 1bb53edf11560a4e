"""What must hold among the answers of one node, whoever else is asked: on made and torture mail, without Dovecot."""
import unittest

import consistency
import differential
import mailsets
import structure


class Consistency(unittest.TestCase):
    def test_answers_add_up(self):
        self.check("--mail", "made,torture")

    def test_answers_about_large_mail_add_up(self):
        self.check("--mail", "made,large", "--only", "section")

    def test_answers_about_damaged_mail_add_up(self):
        self.check("--mail", "damaged", "--only", "section")

    def check(self, *arguments):
        options = differential.parse(["--ours-only", *arguments])
        report = differential.Report(options)
        differential.run(options, report)
        self.assertEqual(report.faults, [])
        self.assertGreaterEqual(report.equal["of our own answers"], len(mailsets.made()))

    def test_what_does_not_add_up_is_told(self):
        octets = b"A: b\r\n\r\nx\r\n"
        fields = {"octets": 4, "lines": 1}
        data = {"BODY[1]": b"x\r\n", "BODY[1.MIME]": b"A: b\r\n\r\n"}
        part = structure.Part("1", "text", fields)
        self.assertEqual(list(consistency.one_part(octets, data, part)), ["part 1: 4 octets in BODYSTRUCTURE, 3 in BODY[]"])
        part.fields = {"octets": 3, "lines": 2}
        self.assertEqual(list(consistency.one_part(octets, data, part)), ["part 1: 2 lines in BODYSTRUCTURE, 1 in BODY[]"])
        part.fields = {"octets": 3, "lines": 1}
        self.assertEqual(list(consistency.one_part(octets, data, part)), [])
        self.assertEqual(list(consistency.one_part(b"A: b\r\n x\r\n", data, part)),
                         ["part 1: MIME and body do not follow each other in the message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
