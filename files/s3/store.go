package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"trivium/files"
)

// Options is what Open needs.
type Options struct {
	Endpoint  string // URL of the storage, without a path
	Region    string
	Bucket    string // must exist
	Prefix    string // of the names of all objects
	AccessKey string
	SecretKey string
	PathStyle bool // the bucket stands in the path, not in the host name

	Names Names
	Spool string            // folder of the local disk for what is being written; it is made
	HTTP  http.RoundTripper // nil: the library's own
}

const (
	// chunkSize is how long a piece is at most: long enough that its request costs little beside its
	// bytes, short enough to wait on the local disk while it fills.
	chunkSize = 16 << 20
	// tailSize is how short a last piece must be to be written anew with what is appended: many small
	// appends do not make many small objects.
	tailSize = 1 << 20
	// garbageLife is how long an object that is part of no file is kept for those who read it on
	// another node; on this one it is kept as long as they do.
	garbageLife = 2 * time.Hour
	// requestLimit bounds one request that writes or removes an object.
	requestLimit = 10 * time.Minute
	// startLimit bounds the look at the bucket when the store is opened.
	startLimit = 30 * time.Second
	// stallLimit is how long the storage may be silent while an object is read.
	stallLimit = time.Minute
)

// Store is a files.Backend. Its methods are safe for any goroutine.
type Store struct {
	o      Options
	client minio.Core
	stall  time.Duration

	mu      sync.Mutex        // guards what follows
	pins    map[string]int    // objects that are being read here
	writing map[int64]*writer // files that are being written here; one writer each, which files sees to
}

var _ files.Backend = (*Store)(nil)

// Open connects to the storage and looks whether the bucket is there.
func Open(ctx context.Context, o Options) (*Store, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("files.s3_endpoint %q is not the address of an object storage", o.Endpoint)
	}
	lookup := minio.BucketLookupDNS
	if o.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(u.Host, &minio.Options{Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""),
		Secure: u.Scheme == "https", Region: o.Region, BucketLookup: lookup, Transport: o.HTTP})
	if err != nil {
		return nil, fmt.Errorf("object storage at %s: %w", u.Host, err)
	}
	if err := os.MkdirAll(o.Spool, 0o700); err != nil {
		return nil, err
	}
	s := &Store{o: o, client: *core, stall: stallLimit, pins: map[string]int{}, writing: map[int64]*writer{}}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	found, err := core.BucketExists(ctx, o.Bucket)
	if err != nil {
		return nil, fmt.Errorf("the object storage at %s does not let the server in (see files.s3_endpoint, files.s3_access_key, files.s3_secret_key): %w", u.Host, err)
	}
	if !found {
		return nil, fmt.Errorf("the object storage at %s has no bucket %q (see files.s3_bucket): make it, the server does not", u.Host, o.Bucket)
	}
	return s, nil
}

// Features implements files.Backend.
func (s *Store) Features() files.Features { return files.Features{Attrs: true, Links: true} }

// Keys implements files.Backend.
func (s *Store) Keys(ctx context.Context, fn func(key string) error) error {
	return s.o.Names.Tops(ctx, func(key string) error {
		if strings.Contains(key, area) {
			return nil
		}
		return fn(key)
	})
}

// area separates the key of a tree from the name of one of the store's own folders beside it. No
// key of a tree holds it.
const area = "//"

// Tree implements files.Backend.
func (s *Store) Tree(ctx context.Context, key string, create bool) (files.Top, error) {
	for _, segment := range strings.Split(key, "/") {
		if !single(segment) {
			return nil, files.ErrName
		}
	}
	e, err := s.o.Names.Top(ctx, key, create)
	if err != nil {
		return nil, err
	}
	return &tree{dir: &dir{s: s, id: e.ID}, key: key}, nil
}

// single reports whether the name is one segment of a path.
func single(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

// Sweep removes objects that have been part of no file for a while, and says how many.
func (s *Store) Sweep(ctx context.Context) (removed int, err error) {
	return s.sweep(ctx, time.Now().Add(-garbageLife))
}

func (s *Store) sweep(ctx context.Context, before time.Time) (removed int, err error) {
	const batch = 1000
	for {
		objects, err := s.o.Names.Garbage(ctx, before, batch)
		if err != nil {
			return removed, err
		}
		var gone []string
		for _, object := range objects {
			if s.pinned(object) {
				continue
			}
			if err := s.remove(ctx, object); err != nil {
				return removed, errors.Join(err, s.o.Names.Forget(ctx, gone...))
			}
			gone = append(gone, object)
		}
		if err := s.o.Names.Forget(ctx, gone...); err != nil {
			return removed, err
		}
		removed += len(gone)
		if len(objects) < batch || len(gone) == 0 {
			return removed, nil
		}
	}
}

func (s *Store) remove(ctx context.Context, object string) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return translate(s.client.Client.RemoveObject(ctx, s.o.Bucket, s.o.Prefix+object, minio.RemoveObjectOptions{}))
}

// put writes an object.
func (s *Store) put(ctx context.Context, object string, r io.Reader, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	_, err := s.client.Client.PutObject(ctx, s.o.Bucket, s.o.Prefix+object, r, size,
		minio.PutObjectOptions{ContentType: "application/octet-stream", DisableMultipart: true})
	return translate(err)
}

// get reads part of an object, whose bytes end early only with an error.
func (s *Store) get(ctx context.Context, object string, from, n int64) (io.ReadCloser, error) {
	var o minio.GetObjectOptions
	if err := o.SetRange(from, from+n-1); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	b := &body{cancel: cancel, stall: s.stall}
	timer := time.AfterFunc(s.stall, cancel)
	var err error
	b.ReadCloser, _, _, err = s.client.GetObject(ctx, s.o.Bucket, s.o.Prefix+object, o)
	timer.Stop()
	if err != nil {
		cancel()
		return nil, translate(err)
	}
	return b, nil
}

// body is an object's bytes as they come. However slowly they are wanted, the storage must not be
// silent for too long: nobody else would end that.
type body struct {
	io.ReadCloser
	cancel context.CancelFunc
	stall  time.Duration
}

func (b *body) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.stall, b.cancel)
	defer timer.Stop()
	return b.ReadCloser.Read(p)
}

func (b *body) Close() error {
	b.cancel()
	return b.ReadCloser.Close()
}

func (s *Store) pin(chunks []Chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		s.pins[c.Object]++
	}
}

func (s *Store) unpin(chunks []Chunk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range chunks {
		if s.pins[c.Object]--; s.pins[c.Object] <= 0 {
			delete(s.pins, c.Object)
		}
	}
}

func (s *Store) pinned(object string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pins[object] > 0
}

// translate finds what a refusal of the storage means here.
func translate(err error) error {
	if err == nil {
		return nil
	}
	r := minio.ToErrorResponse(err)
	switch {
	case r.StatusCode == http.StatusInsufficientStorage, r.Code == "XMinioStorageFull", r.Code == "QuotaExceeded", r.Code == "EntityTooLarge":
		return files.ErrNoSpace
	case r.Code == "NoSuchKey":
		return fmt.Errorf("an object that belongs to a file is not in the bucket: %w", err)
	}
	return fmt.Errorf("object storage: %w", err)
}
