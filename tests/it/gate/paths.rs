//! Every way to spell a request for a release, by route.

use airlock::model::package::PackageId;
use airlock::model::package::Version;
use airlock::model::release::ReleaseId;
use airlock::model::stage::StageId;

use super::world::Hidden;

/// Under which it waits, if it does.
fn stage_id(hidden: &Hidden) -> String {
    let (package, version) = (PackageId::npm(&hidden.package).unwrap(), Version::parse(&hidden.version).unwrap());
    StageId::of(&ReleaseId { package, version }).to_string()
}

/// The paths that a route template stands for, for one release. `None`: a route that nobody thought of here.
pub fn of_route(template: &str, hidden: &Hidden) -> Option<Vec<String>> {
    let Hidden { package, version, .. } = hidden;
    let encoded = version.replace('+', "%2b");
    let names = spellings(package);
    let each = |make: &dyn Fn(&str) -> Vec<String>| names.iter().flat_map(|name| make(name)).collect::<Vec<String>>();
    let (scope, unscoped) = package.split_once('/').unwrap_or(("", package));
    let is_scoped = template.contains("{scope}");
    let own = if is_scoped { format!("{scope}/{unscoped}") } else { package.replace('/', "%2f") };
    Some(match template {
        "/{package}" => each(&|name| {
            let odd = ["", "?write=true", "?cache=0&write=true", "/", "?version=1", "#x", "/-rev/1", ".json"];
            odd.iter().map(|end| format!("/{name}{end}")).collect()
        }),
        "/{package}/{version}" => each(&|name| {
            let upper = version.to_uppercase();
            let ranges = [
                version.as_str(),
                &encoded,
                &upper,
                &format!("v{version}"),
                &format!("={version}"),
                &format!("^{version}"),
                &format!("%20{version}"),
                &format!("{version}%20"),
                &format!("{version}/"),
                &format!("{version}?x=1"),
                &format!("%3{version}"),
                &format!("{version}%2f"),
                &format!("{version}+x"),
                &format!("%76{version}"),
                "latest",
                "beta",
                "next",
                "old",
                "unseen",
                "1",
                "x",
                "*",
            ]
            .map(str::to_owned);
            ranges.iter().map(|wanted| format!("/{name}/{wanted}")).collect()
        }),
        "/{package}/-/{file}" => tarballs(hidden, &names),
        "/-/package/{package}/dist-tags" => {
            each(&|name| ["", "/", "/beta", "/latest", "?x"].iter().map(|end| format!("/-/package/{name}/dist-tags{end}")).collect())
        }
        "/{package}/-rev/{rev}" => each(&|name| vec![format!("/{name}/-rev/1-0"), format!("/{name}/-rev/undefined")]),
        "/{package}/-/{file}/-rev/{rev}" => honest_tarballs(hidden).iter().map(|path| format!("{path}/-rev/1-0")).collect(),
        "/-/package/{package}/dist-tags/{tag}" => {
            each(&|name| ["beta", "latest", "old", "unseen"].iter().map(|tag| format!("/-/package/{name}/dist-tags/{tag}")).collect())
        }
        "/-/package/{package}/visibility" | "/-/package/{package}/access" | "/-/package/{package}/owners" => {
            each(&|name| vec![template.replace("{package}", name)])
        }
        "/-/package/{package}/collaborators" => {
            each(&|name| ["", "?format=cli", "?user=me"].iter().map(|end| format!("/-/package/{name}/collaborators{end}")).collect())
        }
        "/-/package/{package}/owners/{user}" => each(&|name| vec![format!("/-/package/{name}/owners/me")]),
        "/-/package/{package}/version/{version}/status" => {
            each(&|name| vec![format!("/-/package/{name}/version/{encoded}/status"), format!("/-/package/{name}/version/{version}/status")])
        }
        "/-/user/v1/star" | "/-/v1/login" | "/-/npm/v1/keys" | "/-/npm/v1/tokens" | "/-/npm/v1/user" => vec![template.to_owned()],
        "/-/user/package/{package}/star" => each(&|name| vec![format!("/-/user/package/{name}/star")]),
        "/-/_view/starredByUser" => vec!["/-/_view/starredByUser?key=%22me%22".into(), "/-/_view/starredByUser".into()],
        "/-/user/{user}/stars" | "/-/user/{user}/package" | "/-/user/org.couchdb.user:{user}" => {
            vec![template.replace("{user}", "me"), template.replace("{user}", "a%20reader")]
        }
        "/-/user/org.couchdb.user:{user}/-rev/{rev}" => vec!["/-/user/org.couchdb.user:me/-rev/1-0".into()],
        "/-/user/token/{token}" => vec!["/-/user/token/0123456789ab".into()],
        "/-/npm/v1/tokens/token/{key}" => vec!["/-/npm/v1/tokens/token/0123456789ab".into()],
        "/-/v1/done/{session}" => vec!["/-/v1/done/0123456789abcdef0123456789abcdef".into()],
        "/-/npm/v1/oidc/token/exchange/package/{package}" => each(&|name| vec![format!("/-/npm/v1/oidc/token/exchange/package/{name}")]),
        "/-/v1/search" => {
            let bare = package.rsplit('/').next().unwrap_or(package);
            let texts =
                [format!("text={bare}&size=250"), format!("text={own}"), format!("text={version}"), "text=a&from=1".into(), "text=".into()];
            texts.iter().map(|query| format!("/-/v1/search?{query}")).collect()
        }
        "/-/stage/package/{package}" => each(&|name| vec![format!("/-/stage/package/{name}")]),
        "/-/stage" => vec!["/-/stage?page=0&perPage=100".into(), format!("/-/stage?page=0&perPage=100&package={own}")],
        "/-/stage/{id}" | "/-/stage/{id}/tarball" | "/-/stage/{id}/approve" => {
            let ids = [stage_id(hidden), "01234567-89ab-8cde-8f01-23456789abcd".to_owned(), format!("{own}@{encoded}"), encoded];
            ids.iter().map(|id| template.replace("{id}", id)).collect()
        }
        "/-/npm/v1/attestations/{subject}" => each(&|name| {
            let asked = [encoded.as_str(), version.as_str(), "latest", "beta"];
            asked.iter().map(|wanted| format!("/-/npm/v1/attestations/{name}@{wanted}")).collect()
        }),
        "/-/npm/v1/security/advisories/bulk" | "/-/npm/v1/security/audits" | "/-/npm/v1/security/audits/quick" => {
            vec![template.to_owned()]
        }
        // Of Airlock's own: people who sign in, and who they are.
        "/-/airlock/sign-in/{session}" | "/-/airlock/oidc/start/{session}" => {
            vec![template.replace("{session}", "0123456789abcdef0123456789abcdef")]
        }
        "/-/airlock/oidc/callback" => vec!["/-/airlock/oidc/callback?code=x&state=y".into()],
        "/-/airlock/v1/users" | "/-/airlock/v1/lockfile" | "/-/airlock/v1/policy/replay" => vec![template.to_owned()],
        "/-/airlock/v1/advisories" => each(&|name| vec![format!("{template}?package={name}"), format!("{template}?whole=true")]),
        "/-/airlock/v1/users/{name}" => vec!["/-/airlock/v1/users/me".into()],
        "/-/airlock/v1/packages/{package}/owner" | "/-/airlock/v1/packages/{scope}/{name}/owner" => {
            vec![format!("/-/airlock/v1/packages/{own}/owner")]
        }
        "/-/ping" | "/-/whoami" | "/" | "/-/airlock" | "/-/airlock/" => vec![template.to_owned(), format!("{template}?write=true")],
        "/-/airlock/livez" | "/-/airlock/readyz" | "/-/airlock/metrics" => vec![template.to_owned()],
        "/-/airlock/v1/openapi.json" | "/-/airlock/v1/audit/verify" => vec![template.to_owned()],
        "/-/airlock/r/{*subject}" => each(&|name| {
            let asked = [name.to_owned(), format!("{name}@{encoded}"), format!("{name}@{version}"), format!("{name}@latest")];
            asked.iter().map(|asked| format!("/-/airlock/r/{asked}")).collect()
        }),
        "/-/airlock/v1/releases" => {
            let queries =
                [String::new(), format!("?package={own}&limit=500"), "?standing=held".into(), "?standing=approved&limit=1".into()];
            queries.iter().map(|query| format!("/-/airlock/v1/releases{query}")).collect()
        }
        "/-/airlock/v1/queue" => vec!["/-/airlock/v1/queue".into(), "/-/airlock/v1/queue?limit=500".into()],
        "/-/airlock/v1/audit" => vec!["/-/airlock/v1/audit".into(), "/-/airlock/v1/audit?after=0&limit=500".into()],
        "/-/airlock/v1/tokens" => vec!["/-/airlock/v1/tokens".into()],
        "/-/airlock/v1/tokens/{id}" => vec!["/-/airlock/v1/tokens/0123456789ab".into()],
        "/-/airlock/v1/packages/{package}" | "/-/airlock/v1/packages/{scope}/{name}" => {
            vec![format!("/-/airlock/v1/packages/{own}"), format!("/-/airlock/v1/packages/{own}?limit=5")]
        }
        "/-/airlock/v1/releases/{package}/{version}" | "/-/airlock/v1/releases/{scope}/{name}/{version}" => {
            vec![format!("/-/airlock/v1/releases/{own}/{encoded}"), format!("/-/airlock/v1/releases/{own}/latest")]
        }
        "/-/airlock/v1/releases/{package}/{version}/decisions" | "/-/airlock/v1/releases/{scope}/{name}/{version}/decisions" => {
            vec![format!("/-/airlock/v1/releases/{own}/{encoded}/decisions")]
        }
        "/-/airlock/v1/recalls/{package}/{version}" | "/-/airlock/v1/recalls/{scope}/{name}/{version}" => {
            vec![format!("/-/airlock/v1/recalls/{own}/{encoded}")]
        }
        "/-/airlock/v1/recalls/{package}/{version}/acknowledgements"
        | "/-/airlock/v1/recalls/{scope}/{name}/{version}/acknowledgements" => {
            vec![format!("/-/airlock/v1/recalls/{own}/{encoded}/acknowledgements")]
        }
        "/-/airlock/v1/releases/{package}/{version}/requests" | "/-/airlock/v1/releases/{scope}/{name}/{version}/requests" => {
            vec![format!("/-/airlock/v1/releases/{own}/{encoded}/requests")]
        }
        "/-/airlock/v1/waivers" => each(&|name| vec![template.to_owned(), format!("{template}?package={name}&ended=true")]),
        "/-/airlock/v1/waivers/{id}/end" => vec!["/-/airlock/v1/waivers/0123456789ab/end".into()],
        _ => return None,
    })
}

/// A package's name as clients spell it, and as those do who look for a way round.
fn spellings(package: &str) -> Vec<String> {
    match package.split_once('/') {
        None => vec![package.to_owned(), package.replace('m', "%6d"), package.replace('m', "%6D"), package.to_uppercase()],
        Some((scope, name)) => {
            let bare = scope.trim_start_matches('@');
            vec![
                format!("@{bare}/{name}"),
                format!("@{bare}%2f{name}"),
                format!("@{bare}%2F{name}"),
                format!("%40{bare}%2f{name}"),
                format!("%40{bare}/{name}"),
                format!("@{bare}%252f{name}"),
                format!("@{}/{name}", bare.to_uppercase()),
            ]
        }
    }
}

/// The paths by which a client may truly ask for the file; each must be refused in words.
pub fn honest_tarballs(hidden: &Hidden) -> Vec<String> {
    let Hidden { package, .. } = hidden;
    let file = hidden.file();
    match package.split_once('/') {
        None => vec![format!("/{package}/-/{file}"), format!("/{package}/-/{}", file.replace('-', "%2d"))],
        Some((scope, name)) => vec![
            format!("/{package}/-/{file}"),
            format!("/{scope}%2f{name}/-/{file}"),
            format!("/{scope}%2F{name}/-/{file}"),
            format!("/{}%2f{name}/-/{file}", scope.replace('@', "%40")),
            format!("/{package}/-/{scope}/{file}"),
            format!("/{package}/-/{scope}%2f{file}"),
        ],
    }
}

fn tarballs(hidden: &Hidden, names: &[String]) -> Vec<String> {
    let file = hidden.file();
    let with_build = format!("{}-{}.tgz", hidden.package.rsplit('/').next().unwrap(), hidden.version);
    let mut paths = honest_tarballs(hidden);
    for name in names {
        for odd in [
            file.clone(),
            with_build.clone(),
            with_build.replace('+', "%2b"),
            file.to_uppercase(),
            format!("{file}?x=1"),
            format!("{file};x"),
            format!("{file}/"),
            format!("{file}%00"),
            format!("{file}%20"),
            format!("{file}#x"),
            format!("/{file}"),
            format!("./{file}"),
            format!("../-/{file}"),
            format!("%2e%2e/-/{file}"),
            format!("%2e/{file}"),
            format!("x/{file}"),
            format!("{file}/-rev/1"),
            file.replace("tgz", "tar.gz"),
            file.replace('.', "%2e"),
            file.replace('.', "%252e"),
        ] {
            paths.push(format!("/{name}/-/{odd}"));
        }
        paths.push(format!("//{name}/-/{file}"));
        paths.push(format!("/{name}//-/{file}"));
        paths.push(format!("/{name}/%2d/{file}"));
        paths.push(format!("/{name}/{file}"));
        paths.push(format!("/{name}/download/{file}"));
        paths.push(format!("/{name}/-/{file}/../{file}"));
    }
    paths.push(format!("/{file}"));
    paths.push(format!("/other/-/{file}"));
    paths.push(format!("/-/{file}"));
    paths.push(format!("/quarantine/{file}"));
    paths
}
