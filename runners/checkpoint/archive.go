package checkpoint

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxDirectory bounds the bytes read of an archive besides its pickle: its directory and the headers of members.
const maxDirectory = 32 << 20

// archive is a PyTorch zip file. Members lie in one folder, are stored without compression, and so
// are ranges of the file.
type archive struct {
	file    io.ReaderAt
	size    int64
	root    string // folder of data.pkl, with its slash
	members map[string]*zip.File
	used    map[string]extent
}

// extent is where a member's content lies.
type extent struct{ offset, length int64 }

func openArchive(f io.ReaderAt, size int64) (*archive, error) {
	bounded := &boundedReader{f, maxDirectory}
	if err := checkRecords(bounded, size); err != nil {
		return nil, err
	}
	z, err := zip.NewReader(bounded, size)
	if bounded.left < 0 {
		return nil, err
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // no name becomes a path
		return nil, fmt.Errorf("zip directory: %w; the file is cut short or damaged, download it again", err)
	}
	a := &archive{file: f, size: size, members: make(map[string]*zip.File, len(z.File)), used: map[string]extent{}}
	pickles := 0
	for _, m := range z.File {
		if a.members[m.Name] != nil {
			return nil, fmt.Errorf("zip member %.80q stands twice; re-save the model", m.Name)
		}
		a.members[m.Name] = m
		if folder, ok := strings.CutSuffix(m.Name, "data.pkl"); ok && strings.Count(folder, "/") <= 1 &&
			(folder == "" || strings.HasSuffix(folder, "/")) {
			a.root = folder
			pickles++
		}
	}
	if pickles != 1 {
		return nil, fmt.Errorf("zip archive with %d members data.pkl instead of one; is it a file torch.save wrote?", pickles)
	}
	return a, a.checkByteOrder()
}

// checkRecords refuses a zip64 directory that claims more entries than can be read: zip.NewReader
// allocates for the claim as soon as the file, which may be sparse, is large enough for it.
func checkRecords(f io.ReaderAt, size int64) error {
	tail := make([]byte, min(size, 65<<10))
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return err
	}
	end := bytes.LastIndex(tail[:max(0, len(tail)-18)], []byte("PK\x05\x06")) // an end record has 22 bytes
	if end < 20 || string(tail[end-20:end-16]) != "PK\x06\x07" {
		return nil // no zip64: at most 65535 entries
	}
	var record [56]byte
	at := binary.LittleEndian.Uint64(tail[end-12:])
	if at > uint64(size) {
		return errors.New("zip64 directory lies outside the file; download it again")
	}
	if _, err := f.ReadAt(record[:], int64(at)); err != nil && err != io.EOF {
		return err
	}
	if n := binary.LittleEndian.Uint64(record[32:]); n > 2*maxTensors {
		return fmt.Errorf("zip64 directory claims %d members; at most %d are read", n, 2*maxTensors)
	}
	return nil
}

// checkByteOrder refuses numbers written on a big-endian machine. Archives from before torch 2.1 do not say.
func (a *archive) checkByteOrder() error {
	const name = "byteorder"
	if a.members[a.root+name] == nil {
		return nil
	}
	order, err := a.read(a.root+name, 16)
	if err == nil && order != "little" {
		err = fmt.Errorf("byte order is %q; save it on a little-endian machine, or convert it to safetensors there", order)
	}
	return err
}

// isTorchScript reports whether torch.jit.save wrote the archive.
func (a *archive) isTorchScript() bool { return a.members[a.root+"constants.pkl"] != nil }

func (a *archive) pickle() (string, error) { return a.read(a.root+"data.pkl", maxPickle) }

// member is the name of the member that holds a storage.
func (a *archive) member(key string) string { return a.root + "data/" + key }

// storage is where a storage lies.
func (a *archive) storage(key string) (offset, length int64, err error) {
	e, err := a.extent(a.member(key))
	return e.offset, e.length, err
}

// read is the content of a small member. Its checksum is not compared: torch can be told to write none.
func (a *archive) read(name string, limit int64) (string, error) {
	e, err := a.extent(name)
	if err != nil {
		return "", err
	}
	if e.length > limit {
		return "", fmt.Errorf("zip member %.80q has %d bytes; at most %d are read", name, e.length, limit)
	}
	var b strings.Builder
	b.Grow(int(e.length))
	if _, err := io.Copy(&b, io.NewSectionReader(a.file, e.offset, e.length)); err != nil {
		return "", fmt.Errorf("zip member %.80q: %w", name, err)
	}
	return b.String(), nil
}

// extent finds the content of a stored member, and remembers it for checkOverlaps.
func (a *archive) extent(name string) (extent, error) {
	if e, ok := a.used[name]; ok {
		return e, nil
	}
	m := a.members[name]
	switch {
	case m == nil:
		return extent{}, fmt.Errorf("no zip member %.80q; the file is incomplete, download it again", name)
	case m.Method != zip.Store || m.CompressedSize64 != m.UncompressedSize64 || m.Flags&1 != 0:
		return extent{}, fmt.Errorf("zip member %.80q is compressed or encrypted; re-save it with torch.save, or re-pack "+
			"it with zip -0", name)
	}
	at, err := m.DataOffset()
	if err != nil {
		return extent{}, fmt.Errorf("zip member %.80q: %w; download the file again", name, err)
	}
	if at < 0 || at > a.size || m.UncompressedSize64 > uint64(a.size-at) {
		return extent{}, fmt.Errorf("zip member %.80q lies outside the file; download it again", name)
	}
	e := extent{at, int64(m.UncompressedSize64)}
	a.used[name] = e
	return e, nil
}

// checkOverlaps refuses members that share bytes: a file in which a storage is also something else is made to deceive.
func (a *archive) checkOverlaps() error {
	names := make([]string, 0, len(a.used))
	for name, e := range a.used {
		if e.length > 0 {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(x, y string) int {
		return cmp.Or(cmp.Compare(a.used[x].offset, a.used[y].offset), cmp.Compare(x, y))
	})
	for i := 1; i < len(names); i++ {
		if before := a.used[names[i-1]]; before.offset+before.length > a.used[names[i]].offset {
			return fmt.Errorf("zip members %.80q and %.80q overlap; do not trust this file", names[i-1], names[i])
		}
	}
	return nil
}

// boundedReader fails after left bytes, so that no directory is larger than can be held.
type boundedReader struct {
	io.ReaderAt
	left int64
}

func (b *boundedReader) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("more than %d bytes of zip directory; at most %d members are read", maxDirectory, 2*maxTensors)
	}
	return b.ReaderAt.ReadAt(p, off)
}
