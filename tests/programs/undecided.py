"""A value that is neither true nor false, as a tensor of several elements."""


class Undecided:
    def __gt__(self, other):
        return self

    def __bool__(self):
        raise ValueError("neither true nor false")


value = Undecided()
once = iter([False])
for count in range(3):
    print(count)  # @looped
    first = count
    second = count
    third = count
    fourth = count
    fifth = count
