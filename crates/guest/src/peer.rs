//! Who is at the other end of a Unix socket.
//!
//! The sender attaches its credentials to its first byte and the kernel vouches for them. What the socket itself says about its
//! peer is not enough: gVisor answers there with the uid of whoever asks. What must stay true: a connection is served only
//! after its first byte came with the uid that is expected.

#![expect(unsafe_code, reason = "rustix takes the process id of credentials for never 0, which a silent sender's is")]

use std::{
    io, mem,
    os::{fd::AsRawFd, unix::net::UnixStream},
    ptr,
    time::Duration,
};
use tokio::{io::Interest, time::timeout};

/// The byte that carries the credentials.
const GREETING: u8 = b'.';
/// Time for it to come.
const DEADLINE: Duration = Duration::from_secs(2);

/// Size of credentials in a control message.
const SPACE: usize = 32;

/// Room for exactly one message of credentials, aligned as the kernel wants it: descriptors that somebody attaches do not fit
/// and are closed by the kernel.
#[repr(C, align(8))]
struct Control([u8; SPACE]);

/// Says who we are.
pub(crate) fn introduce(socket: &UnixStream) -> io::Result<()> {
    // SAFETY: `getpid`, `geteuid` and `getegid` take nothing and cannot fail.
    let own = unsafe { libc::ucred { pid: libc::getpid(), uid: libc::geteuid(), gid: libc::getegid() } };
    let mut control = Control([0; SPACE]);
    let mut byte = GREETING;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: `header` points at `part` and `control`, which live until the call returns, with their true lengths; the control
    // buffer is aligned and large enough for one message of credentials, so that `CMSG_FIRSTHDR` is not null.
    let sent = unsafe {
        let mut header: libc::msghdr = mem::zeroed();
        (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
        header.msg_control = (&raw mut control).cast();
        header.msg_controllen = libc::CMSG_SPACE(mem::size_of::<libc::ucred>() as u32) as _;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        ((*message).cmsg_level, (*message).cmsg_type) = (libc::SOL_SOCKET, libc::SCM_CREDENTIALS);
        (*message).cmsg_len = libc::CMSG_LEN(mem::size_of::<libc::ucred>() as u32) as _;
        ptr::write_unaligned(libc::CMSG_DATA(message).cast(), own);
        libc::sendmsg(socket.as_raw_fd(), &raw const header, libc::MSG_NOSIGNAL)
    };
    if sent == 1 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// True when the peer greets in time and the kernel says that it runs as `uid`.
pub(crate) async fn is_from(socket: &tokio::net::UnixStream, uid: u32) -> bool {
    if rustix::net::sockopt::set_socket_passcred(socket, true).is_err() {
        return false;
    }
    let greeted = timeout(DEADLINE, socket.async_io(Interest::READABLE, || receive(socket))).await;
    matches!(greeted, Ok(Ok(Some(found))) if found == uid)
}

/// Takes the greeting, and only that byte, and returns the sender's uid.
fn receive(socket: &tokio::net::UnixStream) -> io::Result<Option<u32>> {
    let mut control = Control([0; SPACE]);
    let mut byte = 0u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: as in `introduce`; a control message is read only where the kernel says that there is a whole one of that kind.
    unsafe {
        let mut header: libc::msghdr = mem::zeroed();
        (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
        (header.msg_control, header.msg_controllen) = ((&raw mut control).cast(), mem::size_of::<Control>() as _);
        let count = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC);
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        let is_credentials = !message.is_null()
            && ((*message).cmsg_level, (*message).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_CREDENTIALS)
            && (*message).cmsg_len as usize >= libc::CMSG_LEN(mem::size_of::<libc::ucred>() as u32) as usize;
        if count != 1 || byte != GREETING || !is_credentials {
            return Ok(None);
        }
        let found: libc::ucred = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
        Ok(Some(found.uid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    async fn accepted(uid: u32, greet: impl FnOnce(UnixStream) + Send + 'static) -> bool {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let ours = tokio::net::UnixStream::from_std(ours).unwrap();
        tokio::task::spawn_blocking(move || greet(theirs)).await.unwrap();
        is_from(&ours, uid).await
    }

    #[tokio::test]
    async fn only_the_greeting_of_the_expected_uid_is_taken() {
        let own = rustix::process::geteuid().as_raw();
        assert!(accepted(own, |theirs| introduce(&theirs).unwrap()).await);
        assert!(!accepted(own + 1, |theirs| introduce(&theirs).unwrap()).await, "another uid");
        assert!(!accepted(own, |mut theirs| theirs.write_all(b"x").unwrap()).await, "another byte");
        assert!(!accepted(own, drop).await, "nothing at all");
    }

    #[test]
    fn the_buffer_holds_credentials_and_nothing_beside_them() {
        // SAFETY: the macro's function only computes.
        let space = unsafe { libc::CMSG_SPACE(mem::size_of::<libc::ucred>() as u32) };
        assert_eq!(space as usize, SPACE);
    }

    #[tokio::test]
    async fn what_follows_the_greeting_is_left() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut ours = tokio::net::UnixStream::from_std(ours).unwrap();
        introduce(&theirs).unwrap();
        theirs.write_all(b"rest").unwrap();
        drop(theirs);
        assert!(is_from(&ours, rustix::process::geteuid().as_raw()).await);
        let mut rest = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut ours, &mut rest).await.unwrap();
        assert_eq!(rest, "rest");
    }
}
