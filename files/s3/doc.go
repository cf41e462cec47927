// Package s3 keeps files in object storage.
//
// The bucket holds bytes alone: pieces of files, each an object of its own that is written once
// and never changed, under a random name. Which pieces make a file, what it is called, in which
// folder it lies and whose it is stands in the database, behind the interface Names. So a rename
// is one transaction however much lies in the folder, a file takes the place of another at once,
// an upload goes on where it stopped, and a file can be appended to, none of which the interface
// of S3 can do. What is no longer part of any file is removed some time later, when nobody reads
// it any more.
//
// What is being written waits in a file of the local disk, without a name, until a piece is full:
// memory does not grow with the number of uploads, and the kernel moves the bytes of a clear one.
package s3
