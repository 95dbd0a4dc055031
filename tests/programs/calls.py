"""Calls within calls on one line, and lines to jump over."""


def inner(value):
    return value + 1  # @inner


def outer(value):
    return value * 2  # @outer


def jump():
    taken = []
    taken.append("first")  # @first
    taken.append("skipped")  # @skipped
    taken.append("last")  # @last
    return taken


def main():
    result = outer(inner(1)) + inner(2)  # @calls
    print("result", result)  # @result
    print("taken", jump())  # @jump
    print("done")  # @done


main()  # @entry
