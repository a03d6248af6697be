"""Mounts and system-call filters that only one child process sees. Used between fork and exec."""
import ctypes
import os
import struct

_libc = ctypes.CDLL(None, use_errno=True)

_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 4096, 16384, 1 << 18

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2
_BPF_LOAD_WORD, _BPF_JUMP_EQUAL, _BPF_RETURN = 0x20, 0x15, 0x06
_RET_ALLOW, _RET_ERRNO = 0x7FFF0000, 0x00050000
# On every architecture but alpha.
_CALLS = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}


def _check(result):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _mount(source, target, kind, flags, options=None):
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), kind and kind.encode(),
                       ctypes.c_ulong(flags), options and options.encode()))


def own_mounts():
    """From here on, what this process mounts is seen by it and its children alone."""
    _check(_libc.unshare(_CLONE_NEWNS))
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def mount_tmpfs(folder, options):
    """In the child: `folder` becomes a file system with these options; "ro" is a read-only one."""
    flags = _MS_RDONLY if options == "ro" else 0
    own_mounts()
    _mount("none", folder, "tmpfs", flags, None if flags else options)


def bind_file(source, target):
    """In the child: `target` reads as the file `source`."""
    own_mounts()
    _mount(source, target, None, _MS_BIND)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def deny_io_uring(error, call="io_uring_setup"):
    """In the child: the call answers with this errno, as container runtimes have it."""
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in (
        (_BPF_LOAD_WORD, 0, 0, 0),  # seccomp_data.nr
        (_BPF_JUMP_EQUAL, 0, 1, _CALLS[call]),
        (_BPF_RETURN, 0, 0, _RET_ERRNO | error),
        (_BPF_RETURN, 0, 0, _RET_ALLOW),
    ))
    program = _Program(len(code) // 8, code)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0))
