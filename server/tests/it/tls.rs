//! The same over TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use crate::common::*;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ProtocolVersion, RootCertStore, StreamOwned};

/// A certificate for localhost and its key, in files; and the flags that name them.
fn certificate(fixture: &Fixture) -> (PathBuf, Vec<String>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let cert = fixture.path().join("cert.pem");
    let key = fixture.path().join("key.pem");
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let flags = vec![
        format!("--tls-cert={}", cert.display()),
        format!("--tls-key={}", key.display()),
    ];
    (cert, flags)
}

fn connect(
    address: &str,
    cert: &PathBuf,
    version: &'static rustls::SupportedProtocolVersion,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(cert).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

#[test]
fn zips_are_served_over_tls_1_3_and_1_2() {
    let fixture = Fixture::filled();
    let (cert, flags) = certificate(&fixture);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = Process::start(&fixture.store(), &flags);
    let whole = zip_bytes(&sized(5), SIZES[5]);
    for (version, name) in [
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
    ] {
        let mut stream = connect(server.address(), &cert, version);
        stream
            .write_all(b"GET /example.com/sized/@v/v1.5.0.zip HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        // A server may close without TLS's goodbye.
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(answer.ends_with(&whole), "{} bytes", answer.len());
        assert_eq!(stream.conn.protocol_version(), Some(name));
    }
}

#[test]
fn a_certificate_and_a_key_that_do_not_fit_are_a_clear_error() {
    let fixture = Fixture::filled();
    let (_, flags) = certificate(&fixture);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(
        fixture.path().join("key.pem"),
        other.signing_key.serialize_pem(),
    )
    .unwrap();
    let store = format!("--store={}", fixture.store().display());
    let (code, _, err) = refused(&[&store, "--listen=127.0.0.1:0", &flags[0], &flags[1]]);
    assert_eq!(code, Some(2));
    assert!(err.contains("do not fit"), "{err}");

    std::fs::write(fixture.path().join("cert.pem"), "no certificate").unwrap();
    let (code, _, err) = refused(&[&store, "--listen=127.0.0.1:0", &flags[0], &flags[1]]);
    assert_eq!(code, Some(2));
    assert!(err.contains("cert.pem"), "{err}");
}
