from concurrent.futures import ProcessPoolExecutor


def square(n):
    return n * n


if __name__ == '__main__':
    with ProcessPoolExecutor(2) as executor:
        print(executor.submit(square, 7).result(), flush=True)
