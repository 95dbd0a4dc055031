"""A local that takes six seconds to show."""

import time


class Slow:
    """Its repr is slow, as that of something on a busy device is."""

    def __repr__(self):
        time.sleep(6)
        return "shown at last"


def main():
    quick = "quick"
    slow = Slow()
    print(quick, type(slow))  # @stop


main()
