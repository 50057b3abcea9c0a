import unittest

from receipts.split import split


class SplitTest(unittest.TestCase):
    def test_an_even_bill(self):
        self.assertEqual(split(900, 3), [300, 300, 300])

    def test_the_first_persons_pay_the_odd_cents(self):
        self.assertEqual(split(1000, 3), [334, 333, 333])

    def test_no_cent_is_lost(self):
        for total in range(200):
            for people in range(1, 8):
                self.assertEqual(sum(split(total, people)), total, (total, people))

    def test_nobody_cannot_pay(self):
        with self.assertRaises(ValueError):
            split(100, 0)


if __name__ == "__main__":
    unittest.main()
