"""Two workers, one after the other, each with work of its own."""

import threading


def work(name, count):
    total = 0
    for i in range(count):
        total += i  # @work
    print(name, total)


def main():
    for name, count in (("first", 2), ("second", 3)):
        worker = threading.Thread(target=work, args=(name, count), name=name)
        worker.start()
        worker.join()
    print("joined")  # @joined


main()
