// Package local keeps file trees on the disk of this machine, as plain files under their own names:
// <root>/<domain>/home/<login>, <root>/<domain>/groups/<name>, <root>/<domain>/pub.
//
// Every step down is openat(2) of one name with O_NOFOLLOW from a folder held open, beginning at an
// os.Root; so no "..", no link and no exchange of either for a folder at the wrong moment leads out
// of a tree. That is what os.Root does as well, which however shows neither the folders on the way,
// whose permissions are asked, nor renames between two folders held open. The top of a tree and the
// folder of its parts stay open for a moment after their use; who comes again gets them if the same
// folder still stands by that name.
//
// Parts lie in .trivium/parts at the top of their tree: on the same file system as what they become,
// so that rename(2) is atomic, and below a name that no client reaches.
//
// Owner, group and mode are kept where they deviate from the default, in the extended attribute
// user.trivium, which is read and written through opened files alone. A folder whose entries deviate
// bears a mark in its own, so that the listing of one where none does reads one attribute. Links
// have none. The mode of the inode is the whole mode with the owner's rights added.
//
// With Options.System the inodes themselves have owner, group and mode. Others may then have shells
// and put things in each other's place between two steps of ours, so nothing is given away by its
// name: a new file is given its owner before it gets its name, a new folder too, and an entry that
// changes hands must be the one that was looked at.
package local
