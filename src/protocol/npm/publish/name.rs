//! Names that may be given to a package that is new. Old ones may be otherwise.
//! Source: validate-npm-package-name, `validForNewPackages`.

/// Modules that Node has itself.
const BUILT_IN: [&str; 42] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// Why a new package cannot have this name.
pub fn new_name_fault(name: &str) -> Option<&'static str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("a new name has no capitals");
    }
    if name.bytes().any(|byte| b"~'!()*".contains(&byte)) {
        return Some("a new name has none of ~'!()*");
    }
    match name.split_once('/') {
        None if name.starts_with(['.', '_', '-']) => return Some("a new name does not begin with a dot, an underscore or a dash"),
        // A dash alone is what paths have before a file.
        Some((_, "-")) => return Some("a new name is more than a dash"),
        Some((_, unscoped)) if unscoped.starts_with('.') => return Some("a new name does not begin with a dot"),
        None | Some(_) => {}
    }
    if BUILT_IN.contains(&name) {
        return Some("Node has a module of that name itself");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_are_plainer_than_old_ones() {
        for good in ["left-pad", "@acme/web", "@acme/http", "a.b", "x_y", "9", "@acme/_x", "@acme/-x"] {
            assert_eq!(new_name_fault(good), None, "{good}");
        }
        for bad in ["JSONStream", "@Acme/web", "a~b", "it's", "excited!", "http", "-x", "_x", "@acme/-", "@acme/.x", "fs"] {
            assert!(new_name_fault(bad).is_some(), "{bad}");
        }
    }
}
