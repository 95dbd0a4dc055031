"""Two threads call one compiled function at the same time, with values of their own."""

import threading

import tensorflow as tf


@tf.function
def power(x, n):
    total = x
    for _ in tf.range(n):
        term = x * 3  # @term
        total = total + term
    return total


results = {}


def work(number):
    for call in range(5):
        value = power(tf.constant(number * 10 + call), tf.constant(40))  # @calls
        results[number, call] = int(value)


threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sorted(results.items()))
