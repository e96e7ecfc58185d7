"""Arrays that compiled code uses without counting who holds them.

numba counts references wherever an array is handed to a function, even an inlined one. The counts are atomic: in a loop
over bytes they cost ten times the work, and threads that share a table fight for its count. A borrowed array has no
owner to count. Whoever borrows sees to it that the array lives: it is an argument of the function, or it is returned.
"""

from typing import Any

from numba.core import cgutils, types
from numba.core.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic
def borrowed(typing_context: Any, value: Any) -> Any:
    """Return an array, or a tuple with arrays in it, without owners."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _without_owners(context, builder, value, arguments[0])

    return value(value), build


def _without_owners(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if isinstance(kind, types.Array):
        array = make_array(kind)(context, builder, value=value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        for k, item in enumerate(kind):
            part = _without_owners(context, builder, item, builder.extract_value(value, k))
            value = builder.insert_value(value, part, k)
    return value
