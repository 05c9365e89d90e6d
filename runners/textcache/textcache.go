// Package textcache answers: which prompts has this user's machine encoded before, and what came out?
//
// A [Cache] is a folder of files that are written whole and never changed, each with the embeddings of some prompts.
// Any number of processes read and write it at once. What it holds is bounded: the files longest unused go first.
package textcache

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// MaxBytes bounds what the caches of all models under one root take together. The prompts of the eight benchmarks of
// the field, in 80 templates each, take 0.1 GB of a model.
const MaxBytes = 1 << 30

// ID is a prompt: the checksum of its token ids.
type ID [sha256.Size]byte

// IDOf is the ID of token ids.
func IDOf(tokens []int32) ID {
	b := make([]byte, 0, 4*len(tokens))
	for _, t := range tokens {
		b = binary.LittleEndian.AppendUint32(b, uint32(t))
	}
	return sha256.Sum256(b)
}

// Cache is the embeddings of one model's prompts. It comes from [Open]; any goroutine may use it.
type Cache struct {
	root, dir string
	width     int
	most      int64 // bytes under root
	patience  time.Duration
}

const (
	magic     = "ovbench prompts 1\n"
	extension = ".prompts"
)

var checksums = crc32.MakeTable(crc32.Castagnoli)

// Open is the cache under root of embeddings of so many numbers, which are computed from what the parts of key name:
// the checkpoint, the library, its device and precision.
func Open(root string, width int, key ...string) (*Cache, error) {
	h := sha256.New()
	for _, part := range key {
		fmt.Fprintf(h, "%d %s\n", len(part), part)
	}
	c := &Cache{root: root, dir: filepath.Join(root, hex.EncodeToString(h.Sum(nil))[:32]), width: width, most: MaxBytes,
		patience: patience}
	return c, os.MkdirAll(c.dir, 0o777)
}

// patience is how long a process may encode without adding to the cache before others no longer wait for it: it may
// have been stopped.
const patience = 5 * time.Minute

// Lock waits until no other process encodes for this cache. What it returns ends the lock; that is never nil. Where
// files cannot be locked, or who has the lock adds nothing for long, it does not wait: work is done twice at worst.
func (c *Cache) Lock(ctx context.Context) (unlock func()) {
	lock := flock.New(filepath.Join(c.dir, "lock"), flock.SetFlag(os.O_CREATE|syscall.O_NONBLOCK)) // a pipe blocks nobody
	for begun := time.Now(); time.Since(begun) < c.patience; {
		wait, stop := context.WithTimeout(ctx, c.patience/10)
		ok, err := lock.TryLockContext(wait, 100*time.Millisecond)
		stop()
		if ok {
			return func() { lock.Close() }
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if info, err := os.Stat(c.dir); err == nil && info.ModTime().After(begun) {
			begun = info.ModTime() // it added something
		}
	}
	lock.Close()
	return func() {}
}

// record is the bytes of an embedding: its ID, its numbers, and a checksum of both.
func (c *Cache) record() int { return len(ID{}) + 4*c.width + 4 }

// Fill sets the rows of the prompts that are known, each of the cache's width, and lists the others by their index.
func (c *Cache) Fill(ids []ID, rows [][]float32) (missing []int) {
	wanted := map[ID][]int{}
	for i, id := range ids {
		wanted[id] = append(wanted[id], i)
	}
	entries, _ := os.ReadDir(c.dir) // what cannot be read is not known
	for _, e := range entries {
		if len(wanted) == 0 {
			break
		}
		if filepath.Ext(e.Name()) != extension || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(c.dir, e.Name())
		before := len(wanted)
		c.read(path, func(id ID, row []byte) {
			for _, i := range wanted[id] {
				for k := range rows[i] {
					rows[i][k] = math.Float32frombits(binary.LittleEndian.Uint32(row[4*k:]))
				}
			}
			delete(wanted, id)
		})
		if now := time.Now(); len(wanted) < before {
			os.Chtimes(path, now, now) // it was of use; a cache that cannot be written to ages
		}
	}
	for _, list := range wanted {
		missing = append(missing, list...)
	}
	slices.Sort(missing)
	return missing
}

// read visits the whole records of a file. It ends at the first damaged one.
func (c *Cache) read(path string, visit func(id ID, row []byte)) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, len(magic)+4)
	if _, err := io.ReadFull(r, head); err != nil || string(head) != c.head() {
		return
	}
	b := make([]byte, c.record())
	for {
		if _, err := io.ReadFull(r, b); err != nil {
			return
		}
		body := b[:len(b)-4]
		if crc32.Checksum(body, checksums) != binary.LittleEndian.Uint32(b[len(body):]) {
			return
		}
		visit(ID(body), body[len(ID{}):])
	}
}

func (c *Cache) head() string {
	return string(binary.LittleEndian.AppendUint32([]byte(magic), uint32(c.width)))
}

// Add keeps prompts with their embeddings, and removes what is too much.
func (c *Cache) Add(ids []ID, rows [][]float32) error {
	if len(ids) == 0 {
		return nil
	}
	b := append(make([]byte, 0, len(magic)+4+len(ids)*c.record()), c.head()...)
	for i, id := range ids {
		if len(rows[i]) != c.width {
			return fmt.Errorf("an embedding of %d numbers in a cache of %d", len(rows[i]), c.width)
		}
		from := len(b)
		b = append(b, id[:]...)
		for _, v := range rows[i] {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], checksums))
	}
	sum := sha256.Sum256(b)
	path := filepath.Join(c.dir, hex.EncodeToString(sum[:16])+extension)
	if err := renameio.WriteFile(path, b, 0o666, renameio.WithTempDir(c.dir)); err != nil {
		return err
	}
	return c.trim(path)
}

// trim removes the files longest unused, of all models, until the rest is within bounds.
func (c *Cache) trim(keep string) error {
	type file struct {
		path string
		info fs.FileInfo
	}
	var (
		files []file
		total int64
	)
	err := filepath.WalkDir(c.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != extension || !e.Type().IsRegular() {
			return nil // gone meanwhile, or not ours
		}
		if info, err := e.Info(); err == nil {
			files, total = append(files, file{path, info}), total+info.Size()
		}
		return nil
	})
	slices.SortFunc(files, func(a, b file) int { return a.info.ModTime().Compare(b.info.ModTime()) })
	for _, f := range files {
		if total <= c.most {
			break
		}
		if f.path == keep {
			continue
		}
		if err := os.Remove(f.path); err == nil || os.IsNotExist(err) {
			total -= f.info.Size()
		}
	}
	return err
}
