"""Below numba's arrays: arrays without owners, and eight bytes at a time.

numba counts references wherever an array is handed to a function, even an inlined one. The counts are atomic: in a loop
over bytes they cost ten times the work, and threads that share a table fight for its count. A borrowed array has no
owner to count. Whoever borrows sees to it that the array lives: it is an argument of the function, or it is returned.

Eight bytes are one little-endian number. Arrays read this way have ``PADDING`` bytes after their last.
"""

from typing import Any

from crossent import jit

intrinsic: Any = jit.intrinsic  # called, an intrinsic takes no typing context, which a type checker cannot know


@intrinsic
def borrowed(typing_context: Any, value: Any) -> Any:
    """Return an array, or a tuple with arrays in it, without owners."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owners(context, builder, value, arguments[0])

    return value(value), build


def _without_owners(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    from numba import types
    from numba.core import cgutils  # as numba's manual on extending it does

    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value=value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        items: Any = kind
        for k, item in enumerate(items):
            part = _without_owners(context, builder, item, builder.extract_value(value, k))
            value = builder.insert_value(value, part, k)
    return value


PADDING = 16


@intrinsic
def load64(typing_context: Any, array: Any, i: Any) -> Any:
    """Return bytes i to i + 8 of an array of bytes as one number."""
    from numba import types

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_pointer(context, builder, array, *arguments), align=1)

    return types.uint64(array, types.int64), build


@intrinsic
def store64(typing_context: Any, array: Any, i: Any, value: Any) -> Any:
    """Write a number into bytes i to i + 8 of an array of bytes."""
    from numba import types

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _pointer(context, builder, array, *arguments[:2]), align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), build


def _pointer(context: Any, builder: Any, array: Any, value: Any, i: Any) -> Any:
    from numba import types

    start = context.make_array(array)(context, builder, value=value).data
    return builder.bitcast(builder.gep(start, [i]), context.get_value_type(types.uint64).as_pointer())


@intrinsic
def trailing_zeros(typing_context: Any, number: Any) -> Any:
    """Return how many low bits of a number are zero."""
    from numba import types
    from numba.core import cgutils

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], cgutils.false_bit)

    return types.int64(types.uint64), build


@intrinsic
def ones(typing_context: Any, number: Any) -> Any:
    """Return how many bits of a number are one."""
    from numba import types

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), build
