"""Who pays how much of a bill."""


def split(total, people):
    """The shares of `people` persons in a bill of `total` cents.

    Shares differ by one cent at most; the first persons pay the odd cents.
    """
    if people < 1:
        raise ValueError("a bill needs at least one person")
    share = total // people
    return [share] * people
