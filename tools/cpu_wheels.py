"""Print the option by which pip takes PyTorch's wheel without CUDA, if it can be had.

On Linux the usual wheel brings gigabytes that the book does not need. PyTorch's own
index has a small one. If it does not answer within seconds, nothing is printed, and pip
goes on with the index at hand. This runs before anything is installed.

    python tools/cpu_wheels.py https://download.pytorch.org/whl/cpu
"""

import sys
import threading
import urllib.request

SECONDS = 5


def answers(index: str, seconds: float = SECONDS) -> bool:
    """Whether an index of wheels answers in time; looking up its name counts too."""
    found = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(f"{index}/torch/", timeout=seconds) as answer:
                found.append(answer.status == 200)
        except OSError:
            pass

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return found == [True]


def main(index: str, system: str = sys.platform) -> str:
    """The option for pip, or nothing; what was found is said on the error stream."""
    if system != "linux" or not index:
        return ""
    if answers(index):
        said, option = (
            "answers: taking its wheel, without CUDA",
            f"--extra-index-url {index}",
        )
    else:
        said, option = "does not answer: pip's own index it is, perhaps with CUDA", ""
    print(f"== PyTorch's index of CPU wheels {said}", file=sys.stderr)
    return option


if __name__ == "__main__":
    print(main(sys.argv[1]))
