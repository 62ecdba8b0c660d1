//! Reports in headless Chromium.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::packages;

const MEASURE: &str = include_str!("measure.js");

/// A Chromium with a profile of its own.
pub struct Browser {
    program: PathBuf,
    profile: tempfile::TempDir,
}

impl Browser {
    pub fn open() -> Result<Self, String> {
        Ok(Self {
            program: packages::program("chromium", "chromium")?,
            profile: tempfile::tempdir().map_err(|e| e.to_string())?,
        })
    }

    /// What `measure.js` finds on the page in a window of this width, in pixels.
    pub fn measure(&self, page: &Path, width: u32) -> Result<Value, String> {
        let html = fs::read_to_string(page).map_err(|e| e.to_string())?;
        let copy = self.profile.path().join("page.html");
        let measured = html.replace("</body>", &format!("<script>{MEASURE}</script></body>"));
        fs::write(&copy, measured).map_err(|e| e.to_string())?;
        let size = format!("--window-size={width},1000");
        let dom = self.run(&["--dump-dom", "--virtual-time-budget=3000", &size], &copy)?;
        let text = dom
            .rsplit_once("<pre id=\"measured\">")
            .and_then(|(_, rest)| rest.split_once("</pre>"))
            .ok_or_else(|| format!("the page was not measured:\n{dom}"))?
            .0;
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&nbsp;", "\u{a0}")
            .replace("&amp;", "&");
        serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))
    }

    /// The page printed to a PDF file.
    pub fn print(&self, page: &Path) -> Result<Vec<u8>, String> {
        let pdf = self.profile.path().join("page.pdf");
        let option = format!("--print-to-pdf={}", pdf.display());
        self.run(&[&option], page)?;
        fs::read(pdf).map_err(|e| e.to_string())
    }

    fn run(&self, options: &[&str], page: &Path) -> Result<String, String> {
        let mut command = Command::new("timeout");
        command.arg("120").arg(&self.program);
        if nix::unistd::geteuid().is_root() {
            // Chromium's own sandbox refuses root.
            command.arg("--no-sandbox");
        }
        let output = command
            .args(["--headless", "--disable-gpu", "--disable-quic"])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .args(["--host-resolver-rules=MAP * ~NOTFOUND"])
            .arg(format!(
                "--user-data-dir={}",
                self.profile.path().join("profile").display()
            ))
            .args(options)
            .arg(format!("file://{}", page.display()))
            .output()
            .map_err(|e| format!("chromium: {e}"))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(format!(
                "chromium ended with {}\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ))
        }
    }
}
