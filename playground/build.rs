//! Lists the files to embed. Runs nothing else: `cargo build` needs no Node.
//!
//! It takes `$PLAYGROUND_DIST`, else `dist/` when there is a page in it, else `fallback/`, and says so.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-env-changed=PLAYGROUND_DIST");
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo names the crate's folder"));
    let (folder, kind) = choose(&here);
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rerun-if-changed={}", here.join("dist").display());
    let mut files = Vec::new();
    list(&folder, &mut files)?;
    files.sort();
    let mut code = format!("pub(crate) const KIND: crate::Kind = crate::Kind::{kind};\n");
    code.push_str("pub(crate) static FILES: &[(&str, &[u8])] = &[\n");
    for file in files {
        let name = file.strip_prefix(&folder).expect("it was found in there").to_string_lossy().replace('\\', "/");
        writeln!(code, "    ({name:?}, include_bytes!({:?})),", file.display().to_string()).expect("text takes all");
    }
    code.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the output folder"));
    fs::write(out.join("files.rs"), code)
}

fn choose(here: &Path) -> (PathBuf, &'static str) {
    if let Some(given) = env::var_os("PLAYGROUND_DIST") {
        return (PathBuf::from(given), "Full");
    }
    let built = here.join("dist");
    if built.join("index.html").is_file() {
        return (built, "Full");
    }
    println!(
        "cargo::warning=playground/dist is missing: a plain page is embedded. Run `make playground`, then build again."
    );
    (here.join("fallback"), "Fallback")
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
