package sqldb_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"trivium/internal/sqldb"
)

// writeUntilKilled is the child of TestAcknowledgedIsDurable: it writes as fast as it can from many
// goroutines and prints each number once Write has acknowledged it.
func writeUntilKilled(dir string) {
	ctx := context.Background()
	db, err := sqldb.Open(ctx, "sqlite:"+filepath.Join(dir, "a.db"), discard())
	if err != nil {
		fmt.Println("child:", err)
		return
	}
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for n := i; ; n += 16 {
				if err := db.Write(ctx, func(tx *sqldb.Tx) error { return insert(ctx, tx, strconv.Itoa(n)) }); err != nil {
					fmt.Println("child:", err)
					return
				}
				_, _ = os.Stdout.WriteString(strconv.Itoa(n) + "\n") // one write(2), unbuffered
			}
		})
	}
	wg.Wait()
}

// Whatever Write acknowledged before a kill -9 is there afterwards.
func TestAcknowledgedIsDurable(t *testing.T) {
	dir := t.TempDir()
	url := "sqlite:" + filepath.Join(dir, "a.db")
	db, err := sqldb.Open(t.Context(), url, discard())
	if err != nil {
		t.Fatal(err)
	}
	create(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "SQLDB_TEST_CHILD="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var acked []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := strconv.Atoi(lines.Text()); err != nil {
			t.Errorf("the child said %q", lines.Text())
		}
		acked = append(acked, lines.Text())
		if len(acked) == 500 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		} // what it printed before it died counts too
	}
	if err := child.Wait(); err == nil {
		t.Fatal("the child was not killed")
	}
	if len(acked) < 500 {
		t.Fatalf("only %d writes acknowledged", len(acked))
	}

	if db, err = sqldb.Open(t.Context(), url, discard()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range acked {
		var id int
		if err := db.QueryRowContext(t.Context(), "SELECT id FROM items WHERE name = $1", name).Scan(&id); err != nil {
			t.Errorf("acknowledged write %s: %v", name, err)
		}
	}
}
