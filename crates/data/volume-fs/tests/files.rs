//! What programs may expect of files, folders and links, through the kernel.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod mounting;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::sync::Arc;

use mounting::{Place, can_mount};
use nix::fcntl::{FallocateFlags, RenameFlags, fallocate, renameat2};
use quorate_volume::Pages;
use quorate_volume_fs::fuse::{MountError, MountOptions, mount};
use quorate_volume_fs::testing::MemoryPages;
use quorate_volume_fs::{FileSystem, Overlay};

#[test]
fn what_is_written_is_read_also_after_a_new_mount() {
    if !can_mount() {
        return;
    }
    let mut place = Place::empty();
    let path = place.path().join("file");
    let data: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
    fs::write(&path, &data).unwrap();
    assert_eq!(fs::read(&path).unwrap(), data);
    place.unmount();
    place.mount();
    assert_eq!(fs::read(&path).unwrap(), data);
    let met = fs::metadata(&path).unwrap();
    assert_eq!((met.len(), met.nlink(), met.blksize()), (300_000, 1, 8192));
    assert_eq!(met.blocks(), 37 * 16);
}

#[test]
fn renames_replace_exchange_and_refuse() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let at = |name: &str| place.path().join(name);
    fs::write(at("a"), "a").unwrap();
    fs::write(at("b"), "b").unwrap();
    fs::rename(at("a"), at("b")).unwrap();
    assert_eq!(fs::read_to_string(at("b")).unwrap(), "a");
    assert_eq!(fs::read(at("a")).unwrap_err().kind(), ErrorKind::NotFound);
    fs::write(at("c"), "c").unwrap();
    let rename = |from: &str, to: &str, flags| {
        let cwd = nix::fcntl::AT_FDCWD;
        renameat2(cwd, &at(from), cwd, &at(to), flags)
    };
    let refused = rename("b", "c", RenameFlags::RENAME_NOREPLACE);
    assert_eq!(refused, Err(nix::errno::Errno::EEXIST));
    rename("b", "c", RenameFlags::RENAME_EXCHANGE).unwrap();
    assert_eq!(fs::read_to_string(at("b")).unwrap(), "c");
    assert_eq!(fs::read_to_string(at("c")).unwrap(), "a");
    fs::create_dir_all(at("d/e/f")).unwrap();
    fs::create_dir(at("g")).unwrap();
    assert!(fs::rename(at("d"), at("d/e/f/d")).is_err());
    let full = fs::rename(at("g"), at("d")).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::DirectoryNotEmpty);
    fs::rename(at("d/e"), at("g")).unwrap();
    assert!(at("g/f").is_dir());
    assert_eq!(fs::metadata(at("d")).unwrap().nlink(), 2);
    assert_eq!(fs::metadata(place.path()).unwrap().nlink(), 4);
}

#[test]
fn a_file_without_a_name_lives_until_it_is_closed() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let path = place.path().join("file");
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let before = place.file_system().statistics().pages_used;
    file.write_all(&[7; 100_000]).unwrap();
    fs::remove_file(&path).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    let mut data = Vec::new();
    file.read_to_end(&mut data).unwrap();
    assert_eq!(data, vec![7; 100_000]);
    assert_eq!(file.metadata().unwrap().nlink(), 0);
    assert!(place.file_system().statistics().pages_used > before);
    drop(file);
    wait_for(|| place.file_system().statistics().pages_used == before);
}

#[test]
fn links_count_and_symbolic_links_are_followed() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let at = |name: &str| place.path().join(name);
    fs::write(at("a"), "x").unwrap();
    fs::hard_link(at("a"), at("b")).unwrap();
    assert_eq!(fs::metadata(at("a")).unwrap().nlink(), 2);
    fs::remove_file(at("a")).unwrap();
    assert_eq!(fs::metadata(at("b")).unwrap().nlink(), 1);
    assert_eq!(fs::read_to_string(at("b")).unwrap(), "x");
    symlink("b", at("s")).unwrap();
    assert_eq!(fs::read_link(at("s")).unwrap(), Path::new("b"));
    assert_eq!(fs::read_to_string(at("s")).unwrap(), "x");
    assert!(fs::hard_link(at("b"), at("s")).is_err());
    fs::create_dir(at("d")).unwrap();
    assert!(fs::hard_link(at("d"), at("e")).is_err());
    let dir = fs::remove_file(at("d")).unwrap_err();
    assert_eq!(dir.kind(), ErrorKind::IsADirectory);
}

#[test]
fn names_may_be_long_but_not_too_long() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let long = place.path().join("n".repeat(255));
    fs::write(&long, "x").unwrap();
    assert_eq!(fs::read_to_string(&long).unwrap(), "x");
    let too_long = fs::write(place.path().join("n".repeat(256)), "x").unwrap_err();
    assert_eq!(
        too_long.raw_os_error(),
        Some(nix::errno::Errno::ENAMETOOLONG as i32)
    );
}

#[test]
fn holes_read_as_zeros_and_take_no_room() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let path = place.path().join("file");
    let file = File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let far = 1 << 41;
    file.write_all_at(b"end", far).unwrap();
    assert_eq!(file.metadata().unwrap().len(), far + 3);
    assert_eq!(file.metadata().unwrap().blocks(), 16);
    let mut data = [1; 100];
    file.read_exact_at(&mut data, 12_345).unwrap();
    assert_eq!(data, [0; 100]);
    let seek = |offset, whence| nix::unistd::lseek(&file, offset, whence);
    assert_eq!(seek(0, nix::unistd::Whence::SeekData), Ok(far as i64));
    assert_eq!(seek(0, nix::unistd::Whence::SeekHole), Ok(0));
    file.write_all_at(&[5; 40_000], 0).unwrap();
    let punch = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
    fallocate(&file, punch, 5_000, 20_000).unwrap();
    let mut data = vec![1; 40_000];
    file.read_exact_at(&mut data, 0).unwrap();
    assert_eq!(data[..5_000], [5; 5_000]);
    assert_eq!(data[5_000..25_000], [0; 20_000]);
    assert_eq!(data[25_000..], [5; 15_000]);
    file.set_len(3).unwrap();
    file.set_len(10).unwrap();
    assert_eq!(fs::read(&path).unwrap(), [5, 5, 5, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn zeros_written_ahead_are_not_sent_to_the_volume() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let mut file = File::create(place.path().join("segment")).unwrap();
    let before = place.pages.bytes_written();
    for _ in 0..256 {
        file.write_all(&[0; 65_536]).unwrap();
    }
    file.sync_all().unwrap();
    let written = place.pages.bytes_written() - before;
    assert!(written < 20_000, "{written} bytes for 16 MiB of zeros");
    assert_eq!(file.metadata().unwrap().blocks() * 512, 16 << 20);
}

#[test]
fn the_kernel_checks_permissions_and_owners() {
    if !can_mount() || !nix::unistd::geteuid().is_root() {
        return;
    }
    let place = Place::empty();
    let path = place.path().join("file");
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&path, "secret").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let reads = |path: &Path| {
        let mut cat = std::process::Command::new("setpriv");
        cat.args(["--reuid=65534", "--regid=65534", "--clear-groups", "cat"]);
        cat.arg(path).output().unwrap().status.success()
    };
    assert!(!reads(&path));
    std::os::unix::fs::chown(&path, Some(65534), Some(65534)).unwrap();
    assert!(reads(&path));
    let met = fs::metadata(&path).unwrap();
    assert_eq!((met.uid(), met.mode() & 0o7777), (65534, 0o600));
}

#[test]
fn a_large_folder_is_listed_while_it_is_emptied() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let folder = place.path().join("many");
    fs::create_dir(&folder).unwrap();
    for n in 0..2_000 {
        fs::write(folder.join(format!("file-{n}")), "").unwrap();
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2_000);
    let busy = fs::remove_dir(&folder).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::DirectoryNotEmpty);
    fs::remove_dir_all(&folder).unwrap();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn direct_and_appending_writes_are_seen_by_all() {
    if !can_mount() {
        return;
    }
    use std::os::unix::fs::OpenOptionsExt;
    let place = Place::empty();
    let path = place.path().join("file");
    fs::write(&path, [1; 16_384]).unwrap();
    let direct = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_DIRECT.bits())
        .open(&path)
        .unwrap();
    let mut room = vec![2u8; 8192 + 4096];
    let skip = room.as_ptr().align_offset(4096);
    direct.write_all_at(&room[skip..skip + 4096], 4096).unwrap();
    let cached = fs::read(&path).unwrap();
    assert_eq!(cached[..4096], [1; 4096]);
    assert_eq!(cached[4096..8192], [2; 4096]);
    direct
        .read_exact_at(&mut room[skip..skip + 4096], 8192)
        .unwrap();
    assert_eq!(room[skip..skip + 4096], [1; 4096]);
    let mut appends = OpenOptions::new().append(true).open(&path).unwrap();
    appends.write_all(b"tail").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 16_388);
}

#[test]
fn times_are_kept() {
    if !can_mount() {
        return;
    }
    let mut place = Place::empty();
    let path = place.path().join("file");
    let file = File::create(&path).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_000_000_000, 123_456_789);
    let times = fs::FileTimes::new().set_modified(time).set_accessed(time);
    file.set_times(times).unwrap();
    drop(file);
    place.unmount();
    place.mount();
    let met = fs::metadata(&path).unwrap();
    assert_eq!(
        (met.modified().unwrap(), met.accessed().unwrap()),
        (time, time)
    );
}

#[test]
fn a_dead_mount_is_replaced() {
    if !can_mount() {
        return;
    }
    let mut place = Place::empty();
    fs::write(place.path().join("file"), "x").unwrap();
    place.file_system().sync_all().unwrap();
    abort_connection(&place.path());
    let dead = fs::read(place.path().join("file")).unwrap_err();
    assert_eq!(
        dead.raw_os_error(),
        Some(nix::errno::Errno::ENOTCONN as i32)
    );
    place.mount();
    assert_eq!(fs::read_to_string(place.path().join("file")).unwrap(), "x");
}

#[test]
fn after_another_writer_took_over_every_write_fails() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let told = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let tells = told.clone();
    place.file_system().on_failure(move |_| {
        tells.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    });
    let file = File::create(place.path().join("file")).unwrap();
    place.pages.refuse(Some(quorate_volume::PagesError::Fenced));
    for _ in 0..2 {
        let failed = file.write_at(b"x", 0).unwrap_err();
        assert_eq!(failed.raw_os_error(), Some(nix::errno::Errno::EIO as i32));
    }
    assert!(file.sync_all().is_err());
    wait_for(|| told.load(std::sync::atomic::Ordering::SeqCst) == 1);
    place.pages.refuse(None);
    assert!(
        file.write_at(b"x", 0).is_err(),
        "also when the volume answers again"
    );
}

#[test]
fn a_full_volume_refuses_and_goes_on() {
    if !can_mount() {
        return;
    }
    let place = Place::new(quorate_volume_fs::testing::MemoryPages::new(4096, 200));
    let path = place.path().join("file");
    let full = fs::write(&path, vec![1; 4096 * 300]).unwrap_err();
    assert_eq!(full.raw_os_error(), Some(nix::errno::Errno::ENOSPC as i32));
    fs::remove_file(&path).unwrap();
    wait_for(|| place.file_system().statistics().pages_used < 20);
    fs::write(&path, vec![1; 4096 * 150]).unwrap();
    place.pages.refuse(Some(quorate_volume::PagesError::NoSpace(
        "segments".to_owned(),
    )));
    let full = fs::write(place.path().join("other"), "x").unwrap_err();
    assert_eq!(full.raw_os_error(), Some(nix::errno::Errno::ENOSPC as i32));
    place.pages.refuse(None);
    fs::write(place.path().join("other"), "x").unwrap();
    assert_eq!(fs::read(&path).unwrap(), vec![1; 4096 * 150]);
}

#[test]
fn a_write_that_asks_for_it_is_synced() {
    use std::os::unix::fs::OpenOptionsExt;
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    let mut options = OpenOptions::new();
    options.write(true).create(true);
    options.custom_flags(nix::fcntl::OFlag::O_DSYNC.bits());
    let file = options.open(place.path().join("file")).unwrap();
    for (at, len) in [(0, 8192), (8192, 100), (20_000, 10)] {
        file.write_all_at(&vec![1; len], at).unwrap();
        assert_eq!(
            place.pages.synced(),
            place.pages.units(),
            "{len} bytes at {at}"
        );
    }
}

#[test]
fn a_folder_is_synced_with_its_names() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    fs::write(place.path().join("a"), "x").unwrap();
    fs::rename(place.path().join("a"), place.path().join("b")).unwrap();
    let renamed = place.pages.units();
    assert!(place.pages.synced() < renamed);
    File::open(place.path()).unwrap().sync_all().unwrap();
    assert!(place.pages.synced() >= renamed);
}

#[test]
fn a_reader_changes_its_overlay_and_not_the_volume() {
    if !can_mount() {
        return;
    }
    let place = Place::empty();
    fs::write(place.path().join("file"), [1; 100_000]).unwrap();
    place.file_system().sync_all().unwrap();
    let folder = tempfile::Builder::new()
        .prefix("quorate-test-volume-fs-")
        .tempdir()
        .unwrap();
    let (local, mnt) = (folder.path().join("overlay"), folder.path().join("mnt"));
    fs::create_dir(&mnt).unwrap();
    let view = Arc::new(place.pages.after(place.pages.units()));
    let overlay = Arc::new(Overlay::new(view.clone(), &local).unwrap());
    let reader = Arc::new(FileSystem::open(overlay.clone()).unwrap());
    let mut reader = mount(reader, &mnt, &MountOptions::default()).unwrap();
    let file = File::options().write(true).open(mnt.join("file")).unwrap();
    file.write_all_at(&[2; 10], 50_000).unwrap();
    fs::write(mnt.join("own"), "own").unwrap();
    let mut data = vec![1; 100_000];
    data[50_000..50_010].fill(2);
    assert!(fs::read(mnt.join("file")).unwrap() == data);
    drop(file);
    reader.unmount().unwrap();
    assert_eq!(view.units(), 0);
    assert!(overlay.bytes_used() > 0 && overlay.bytes_used() < 100_000);
    let read_only = Arc::new(FileSystem::open_read_only(view).unwrap());
    let mut read_only = mount(read_only, &mnt, &MountOptions::default()).unwrap();
    assert!(fs::read(mnt.join("file")).unwrap() == [1; 100_000]);
    let refused = fs::write(mnt.join("own"), "own").unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnlyFilesystem);
    read_only.unmount().unwrap();
}

#[test]
fn what_is_in_use_is_not_unmounted() {
    if !can_mount() {
        return;
    }
    let folder = tempfile::Builder::new()
        .prefix("quorate-test-volume-fs-")
        .tempdir()
        .unwrap();
    let pages: Arc<dyn Pages> = Arc::new(MemoryPages::new(4096, 1_000));
    let file_system = Arc::new(FileSystem::open_or_format(pages).unwrap());
    let mut mounted = mount(file_system, folder.path(), &MountOptions::default()).unwrap();
    let file = File::create(folder.path().join("file")).unwrap();
    let busy = mounted.unmount();
    assert!(matches!(busy, Err(MountError::Busy(_))), "{busy:?}");
    drop(file);
    mounted.unmount().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Ends the connection as the death of its process would.
fn abort_connection(mountpoint: &Path) {
    let device = nix::sys::stat::minor(fs::metadata(mountpoint).unwrap().dev());
    let control = Path::new("/sys/fs/fuse/connections");
    if !control.join(device.to_string()).exists() {
        let none = None::<&str>;
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(none, control, Some("fusectl"), flags, none).unwrap();
    }
    fs::write(control.join(device.to_string()).join("abort"), "1").unwrap();
}

fn wait_for(condition: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !condition() {
        assert!(std::time::Instant::now() < deadline, "it does not come");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
