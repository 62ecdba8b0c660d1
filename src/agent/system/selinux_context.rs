//! SELinux contexts of files: the extended attribute `security.selinux` (xattr(7), selinux(8)).

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const NAME: &std::ffi::CStr = c"security.selinux";

/// The context, `None` where the file or the file system has none. Links are not followed.
pub(in crate::agent) fn of(path: &Path) -> Option<String> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let mut buffer = [0_u8; 512];
    #[expect(unsafe_code, reason = "lgetxattr(2) has no safe wrapper here")]
    // SAFETY: both names end in NUL and the kernel writes at most `buffer.len()` bytes.
    let length = unsafe {
        libc::lgetxattr(
            path.as_ptr(),
            NAME.as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    let bytes = buffer.get(..usize::try_from(length).ok()?)?;
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// Gives an open file this context.
pub(in crate::agent) fn set(file: &File, context: &str) -> io::Result<()> {
    let context = CString::new(context)?;
    let bytes = context.as_bytes_with_nul();
    #[expect(unsafe_code, reason = "fsetxattr(2) has no safe wrapper here")]
    // SAFETY: the name ends in NUL and `bytes` lives through the call.
    let result = unsafe {
        libc::fsetxattr(
            file.as_raw_fd(),
            NAME.as_ptr(),
            bytes.as_ptr().cast(),
            bytes.len(),
            0,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
