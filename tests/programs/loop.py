"""The seed's loop in plain Python: two counters, until the first has caught up."""


def step(first, second):
    first += 2  # @step
    second += 1  # @second
    return first, second  # @return


def main():
    first, second = 0, 10  # @main
    while first < second:
        first, second = step(first, second)  # @call
    print("result", first, second)  # @print


main()  # @entry
