"""A frame with locals of many kinds, to look at and to change."""


class Point:
    """Has attributes, a property, and a repr."""

    def __init__(self, x, y):
        self.x = x
        self.y = y

    @property
    def norm(self):
        return (self.x**2 + self.y**2) ** 0.5

    def __repr__(self):
        return f"Point({self.x}, {self.y})"


def main():
    number = 42
    text = "hällo"
    numbers = list(range(300))
    table = {"one": 1, "two": [2, 22]}
    point = Point(3, 4)
    print("values", number, text, len(numbers), table, point)  # @stop
    print("changed", number, point)


main()
