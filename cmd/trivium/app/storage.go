package app

import (
	"context"
	"path/filepath"

	"go.uber.org/fx"

	"trivium/config"
	"trivium/files"
	"trivium/files/local"
	"trivium/files/s3"
	filestore "trivium/files/sqlstore"
	"trivium/internal/sqldb"
)

// newBackend opens where the bytes of files lie.
func newBackend(lc fx.Lifecycle, cfg *config.Config, db *sqldb.DB) (files.Backend, error) {
	if cfg.Files.Storage == "s3" {
		return newObjectStore(cfg, db)
	}
	b, err := local.OpenWith(cfg.FilesRoot(), local.Options{System: system(cfg)})
	if err != nil {
		return nil, err
	}
	closeWith(lc, b)
	return b, nil
}

// spoolName is the folder, in the data directory, of what is on its way to object storage.
const spoolName = "spool"

func newObjectStore(cfg *config.Config, db *sqldb.DB) (files.Backend, error) {
	f := cfg.Files
	return s3.Open(context.Background(), s3.Options{Endpoint: f.S3Endpoint, Region: f.S3Region, Bucket: f.S3Bucket, Prefix: f.S3Prefix,
		AccessKey: f.S3AccessKey, SecretKey: f.S3SecretKey.Reveal(), PathStyle: f.S3PathStyle,
		Names: filestore.NewObjects(db), Spool: filepath.Join(cfg.DataDir, spoolName)})
}
