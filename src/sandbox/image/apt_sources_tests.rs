use super::*;

fn one_line(text: &str) -> String {
    for_suite("bookworm", &[text.to_owned()], &[])
}

fn deb822(text: &str) -> String {
    for_suite("bookworm", &[], &[text.to_owned()])
}

#[test]
fn a_machine_of_the_same_release_gives_its_own_mirror_and_key() {
    let found = one_line(
        "# main\ndeb [arch=amd64 signed-by=/etc/apt/keyrings/local.gpg] http://mirror.lan/debian/ bookworm main contrib\n\
             deb-src http://mirror.lan/debian/ bookworm main\n\
             deb http://security.debian.org/debian-security bookworm-security main\n",
    );
    insta::assert_snapshot!(found, @r"
        Types: deb
        URIs: http://mirror.lan/debian/
        Suites: bookworm
        Components: main
        Signed-By: /etc/apt/keyrings/local.gpg

        Types: deb
        URIs: http://security.debian.org/debian-security
        Suites: bookworm-security
        Components: main
        ");
}

#[test]
fn a_deb822_file_keeps_its_key_block_and_loses_other_suites() {
    let found = deb822(
        "Types: deb deb-src\n# a snapshot\nURIs: http://deb.debian.org/debian\n\
             Suites: bookworm bookworm-updates bookworm-backports\nComponents: main\n\
             Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n -----END PGP PUBLIC KEY BLOCK-----\n\n\
             Enabled: no\nTypes: deb\nURIs: http://off.example/debian\nSuites: bookworm\nComponents: main\n",
    );
    insta::assert_snapshot!(found, @r"
        Types: deb
        URIs: http://deb.debian.org/debian
        Suites: bookworm bookworm-updates
        Components: main
        Signed-By:
         -----BEGIN PGP PUBLIC KEY BLOCK-----
         .
         -----END PGP PUBLIC KEY BLOCK-----
        ");
}

#[test]
fn a_machine_of_another_release_lends_its_mirrors() {
    let found = deb822(
        "Types: deb\nURIs: http://ftp.de.debian.org/debian/\nSuites: trixie\nComponents: main\n\
             Signed-By: /usr/share/keyrings/trixie-only.pgp\n",
    );
    insta::assert_snapshot!(found, @r"
        Types: deb
        URIs: http://ftp.de.debian.org/debian/
        Suites: bookworm bookworm-updates
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

        Types: deb
        URIs: http://deb.debian.org/debian-security
        Suites: bookworm-security
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
        ");
}

#[test]
fn repositories_that_are_not_debian_are_left_out() {
    let found = one_line(
        "deb http://archive.ubuntu.com/ubuntu jammy main\n\
             deb https://packages.example.com/debian/12/prod bookworm main\n\
             deb cdrom:[Debian 12]/ bookworm main\n",
    );
    assert!(
        found.starts_with("Types: deb\nURIs: http://deb.debian.org/debian\n"),
        "{found}"
    );
    assert!(
        !found.contains("example.com") && !found.contains("ubuntu"),
        "{found}"
    );
}

#[test]
fn a_mirror_named_by_hand_need_only_have_the_release() {
    insta::assert_snapshot!(of_mirror("bookworm", "http://10.0.0.1/debian"), @r"
        Types: deb
        URIs: http://10.0.0.1/debian
        Suites: bookworm
        Components: main
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
        ");
}

#[test]
fn proxies_and_date_checks_are_handed_on_and_nothing_else() {
    let dump = "Acquire \"\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://10.0.0.1:3142\";\n\
                    Acquire::httpsish \"x\";\nAcquire::Languages:: \"none\";\nAcquire::Check-Valid-Until \"false\";\n\
                    Acquire::IndexTargets::deb \"\";\nDPkg::Post-Invoke:: \"rm -f x\";\n";
    insta::assert_snapshot!(transport_options(dump), @r#"
        Acquire::http "";
        Acquire::http::Proxy "http://10.0.0.1:3142";
        Acquire::Check-Valid-Until "false";
        "#);
}

proptest::proptest! {
    #[test]
    fn any_text_gives_sources_with_the_release_itself(text in "\\PC{0,200}(\n\\PC{0,80}){0,6}") {
        for found in [one_line(&text), deb822(&text)] {
            proptest::prop_assert!(found.contains("Suites: bookworm"));
        }
    }
}
