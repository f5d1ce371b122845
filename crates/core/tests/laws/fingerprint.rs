//! What a data set's fingerprint follows.

use crate::common::Tree;

#[test]
fn the_fingerprint_follows_content_not_place() {
    let files = ["fan/normal/a.wav", "fan/normal/b.wav"];
    let (one, two) = (Tree::new(&files), Tree::new(&files));
    let print = |tree: &Tree| tree.read().fingerprint().expect("the files exist");
    assert_eq!(print(&one), print(&two));
    assert_eq!(print(&one).len(), 64);
    two.write("fan/normal/a.wav", "longer");
    assert_ne!(print(&one), print(&two));
}

#[test]
fn a_recording_replaced_by_one_of_equal_size_changes_the_fingerprint() {
    let tree = Tree::new(&["fan/normal/a.wav", "fan/normal/b.wav"]);
    tree.write("fan/normal/a.wav", "first");
    let before = tree.read().fingerprint().expect("the files exist");
    tree.write("fan/normal/a.wav", "other");
    assert_ne!(tree.read().fingerprint().expect("the files exist"), before);
}
