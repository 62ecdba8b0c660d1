//! Files from templates: the only user of minijinja.
//!
//! Templates are part of the binary. A variable that a template uses and does not get is an error. What a
//! template named `*.sh` puts out is read by a shell (network-scripts source ifcfg files), so there values
//! are quoted where they need it. No value may have a control character: all these files are line by line.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use super::{WriteError, shell};

macro_rules! templates {
    ($($constant:ident = $file:literal),* $(,)?) => {
        /// A template by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) struct Template(&'static str);

        impl Template {
            $(pub const $constant: Self = Self($file);)*
        }

        const SOURCES: &[(&str, &str)] = &[
            $(($file, include_str!(concat!("../../templates/", $file, ".j2")))),*
        ];
    };
}

templates! {
    IFCFG = "ifcfg.sh",
    IFCFG_ALIAS = "ifcfg-alias.sh",
    IFCFG_LO = "ifcfg-lo.sh",
    SYSCTL = "sysctl.conf",
    PAGE = "index.html",
    LISTEN = "listen.conf",
    DROP_IN = "ipvsadm",
    SAVE = "ipvsadm-save",
    RESTORE = "ipvsadm-restore",
    BOOT_UNIT = "lvslab-boot.service",
}

/// How values are escaped in `*.sh`.
const SHELL: &str = "shell";

/// Every template, compiled.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

fn failed(template: &str, error: &Error) -> WriteError {
    WriteError::Template {
        template: template.to_owned(),
        cause: error.to_string(),
    }
}

impl Templates {
    /// Compiles them.
    ///
    /// # Errors
    /// One is no template: a mistake in lvslab itself.
    pub fn new() -> Result<Self, WriteError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
            .map_err(|error| failed("syntax", &error))?;
        environment.set_syntax(syntax);
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".sh") {
                AutoEscape::Custom(SHELL.into())
            } else {
                AutoEscape::None
            }
        });
        environment.set_formatter(format_value);
        for (name, source) in SOURCES {
            environment
                .add_template(name, source)
                .map_err(|error| failed(name, &error))?;
        }
        Ok(Self(environment))
    }

    pub(super) fn render(&self, template: Template, context: Value) -> Result<String, WriteError> {
        self.0
            .get_template(template.0)
            .and_then(|compiled| compiled.render(context))
            .map_err(|error| failed(template.0, &error))
    }
}

fn format_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), Error> {
    if value.is_undefined() || value.is_none() {
        return Err(Error::new(ErrorKind::UndefinedError, "a value is missing"));
    }
    let text = value.to_string();
    if text.chars().any(char::is_control) {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "a value has a control character",
        ));
    }
    let written = match state.auto_escape() {
        AutoEscape::Custom(name) if name == SHELL => out.write_str(&shell::quote(&text)),
        _ => out.write_str(&text),
    };
    written.map_err(|_| Error::new(ErrorKind::WriteFailure, "could not write"))
}

#[cfg(test)]
mod tests {
    use minijinja::context;

    use super::*;

    fn ifcfg(address: &str) -> Result<String, WriteError> {
        Templates::new()?.render(
            Template::IFCFG_ALIAS,
            context! { name => "eth0:0", address, prefix => 24 },
        )
    }

    #[test]
    fn plain_values_stay_unquoted_and_others_are_quoted_for_the_shell() {
        assert!(
            ifcfg("192.168.4.15")
                .unwrap()
                .contains("\nIPADDR=192.168.4.15\n")
        );
        let quoted = ifcfg("$(reboot) it's").unwrap();
        assert!(
            quoted.contains("\nIPADDR='$(reboot) it'\\''s'\n"),
            "{quoted}"
        );
    }

    #[test]
    fn a_value_with_a_line_end_is_refused() {
        let error = ifcfg("192.168.4.15\nONBOOT=no").unwrap_err();
        assert!(error.to_string().contains("control character"), "{error}");
    }

    #[test]
    fn a_value_that_is_missing_is_an_error() {
        let templates = Templates::new().unwrap();
        for (name, _) in SOURCES {
            let rendered = templates.render(Template(name), context! {});
            assert!(rendered.is_err(), "{name}");
        }
    }
}
