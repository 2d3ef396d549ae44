//! A disk that is full: changes are refused in clear words, what is known is served on, and room heals everything.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use super::install::Install;
use super::world;
use crate::support::binary::Launch;
use crate::support::binary::Server;
use crate::support::binary::files_below;
use crate::support::http::Call;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::within;

const PACKAGES: usize = 10;
/// Small decisions that may still fit into the last page of a file.
const FITTING_MAX: usize = 200;

/// A small file system of its own; gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// `None`, loudly, where this process may not mount.
    fn mounted_at(folder: &Path) -> Option<Disk> {
        fs::create_dir_all(folder).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m,mode=0700", "airlock-test"]).arg(folder).output();
        match mount {
            Ok(mount) if mount.status.success() => Some(Disk(folder.to_owned())),
            Ok(mount) => {
                let why = String::from_utf8_lossy(&mount.stderr).trim().to_owned();
                _ = writeln!(std::io::stderr(), "\n*** SKIPPED: a full disk, for none can be mounted here: {why}\n");
                None
            }
            Err(error) => {
                _ = writeln!(std::io::stderr(), "\n*** SKIPPED: a full disk, for there is no mount: {error}\n");
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    fn fill(&self) {
        const BLOCK: [u8; 4_096] = [0; 4_096];
        let mut file = fs::File::create(self.filler()).unwrap();
        while file.write_all(&BLOCK).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

async fn hold(server: &Server, index: usize, reason: &str) -> Reply {
    let path = format!("{}/decisions", world::release_path(index, world::FIRST));
    Call::new(server.address(), "POST", &path)
        .bearer(&server.admin_token())
        .json(&json!({"decision": "hold", "reason": reason}))
        .send()
        .await
}

/// Decides until the disk does not take it, and gives what was acknowledged.
async fn hold_until_refused(server: &Server, what: &str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0..FITTING_MAX {
        let reason = format!("{what} {number}");
        let reply = hold(server, 0, &reason).await;
        if reply.status != 200 {
            assert_eq!(reply.status, 507, "{}", reply.text());
            assert!(reply.text().contains("the disk is full"), "{}", reply.text());
            return acknowledged;
        }
        acknowledged.push(reason);
    }
    panic!("a full disk took {FITTING_MAX} decisions");
}

/// What was fetched before is served as before.
async fn assert_reads(server: &Server, upstream: &crate::support::upstream::Upstream) {
    for index in 0..PACKAGES {
        let packument = Call::get(server.address(), &world::packument_path(index)).send().await;
        assert_eq!(packument.status, 200, "{}", packument.text());
        let tarball = Call::get(server.address(), &world::tarball_path(index, world::OPEN)).send().await;
        assert_eq!(tarball.status, 200, "{}", tarball.text());
        assert_eq!(tarball.body, upstream.tarball(&world::name(index), world::OPEN));
    }
    assert_eq!(Call::get(server.address(), "/-/airlock/livez").send().await.status, 200);
}

async fn assert_history(server: &Server, acknowledged: &[String]) {
    let view = Call::get(server.address(), &world::release_path(0, world::FIRST)).send().await.json();
    for reason in acknowledged {
        assert!(view["history"].as_array().unwrap().iter().any(|event| event["reason"] == **reason), "{reason:?} is lost: {view:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_changes_and_serves_on() {
    let upstream = Arc::new(world::scenario(PACKAGES + 1).start().await);
    let launch = Launch::at(&upstream);
    let Some(disk) = Disk::mounted_at(&launch.data_dir()) else { return };
    let server = launch.start().await;
    let install = Install::of(PACKAGES, Arc::clone(&upstream));
    let mut tasks = JoinSet::new();
    install.spawn(server.address(), &mut tasks);
    tasks.join_all().await;

    disk.fill();
    let mut acknowledged = hold_until_refused(&server, "while it filled").await;
    assert_reads(&server, &upstream).await;
    let ready = Call::get(server.address(), "/-/airlock/readyz").send().await;
    assert_eq!(ready.status, 503, "{}", ready.text());
    let unseen = Call::get(server.address(), &world::tarball_path(PACKAGES, world::OPEN)).send().await;
    assert_eq!(unseen.status, 507, "{}", unseen.text());
    assert!(unseen.text().contains("the disk is full"), "{}", unseen.text());
    assert_history(&server, &acknowledged).await;
    let publish = Publish::new("our-own", "1.0.0");
    let path = format!("/{}", publish.segment());
    let submit = || Call::new(server.address(), "PUT", &path).bearer(&server.admin_token()).json(&publish.body()).send();
    let refused = submit().await;
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert!(refused.text().contains("the disk is full"), "{}", refused.text());
    assert!(files_below(&server.data_dir().join("quarantine/unfinished")).is_empty());

    disk.make_room();
    let published = submit().await;
    assert_eq!(published.status, 202, "{}", published.text());
    assert_eq!(hold(&server, 0, "there is room").await.status, 200);
    acknowledged.push("there is room".to_owned());
    // One answer is given again for a while.
    within("readiness", async { while Call::get(server.address(), "/-/airlock/readyz").send().await.status != 200 {} }).await;
    assert_eq!(Call::get(server.address(), &world::tarball_path(PACKAGES, world::OPEN)).send().await.status, 200);

    // Full again, and killed: a start without room serves what is known.
    disk.fill();
    acknowledged.extend(hold_until_refused(&server, "when it was full again").await);
    let server = server.kill().start().await;
    assert_reads(&server, &upstream).await;
    assert_history(&server, &acknowledged).await;
    hold_until_refused(&server, "after a start without room").await;
    let launch = server.kill();

    disk.make_room();
    let server = launch.start().await;
    server.run(&["audit", "verify"]).await.assert_success();
    assert_history(&server, &acknowledged).await;
    assert_eq!(hold(&server, 0, "at last").await.status, 200);
    assert_reads(&server, &upstream).await;
    drop(server);
    drop(disk);
}
