"""Loops for breakpoints with conditions, hit counts and log messages."""


def named(index):
    return index * index  # @named


def main():
    for i in range(6):
        conditional = i  # @conditional
    for i in range(6):
        counted = i  # @counted
    for i in range(3):
        logged = i  # @logged
    for i in range(2):
        named(i)
    print("end", conditional, counted, logged)


main()
