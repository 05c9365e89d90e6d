package sam

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"ovbench/runners/resample"
	"ovbench/runners/tensor"
)

// store keeps embeddings in a folder, one .npy each with a checksum behind it: 4 MB for a picture. The nil store keeps
// nothing.
type store struct {
	folder string
}

// newStore keeps embeddings below folder. model stands for the weights and how they are run.
func newStore(folder, model string) (*store, error) {
	sum := sha256.Sum256([]byte(model))
	s := &store{filepath.Join(folder, fmt.Sprintf("%x", sum[:16]))}
	if err := os.MkdirAll(s.folder, 0o777); err != nil {
		return nil, fmt.Errorf("folder for embeddings: %w", err)
	}
	return s, nil
}

// path is the file for a picture by the pixels that the network sees: the same picture in two data sets is one.
func (s *store) path(rgb resample.RGB) string {
	h := sha256.New()
	binary.Write(h, binary.LittleEndian, [2]uint64{uint64(rgb.W), uint64(rgb.H)})
	h.Write(rgb.Pix)
	return filepath.Join(s.folder, fmt.Sprintf("%x.npy", h.Sum(nil)[:16]))
}

// get is the embedding of a picture, if the store has one of that shape. A file that is damaged is as none:
// put replaces it.
func (s *store) get(rgb resample.RGB, shape []int) (tensor.Dense, bool) {
	if s == nil {
		return tensor.Dense{}, false
	}
	path := s.path(rgb)
	n, _ := tensor.Elements(shape)
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() || info.Size() > 4*n+1<<12 {
		return tensor.Dense{}, false
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return tensor.Dense{}, false
	}
	if len(data) < crc32.Size || crc32.ChecksumIEEE(data[:len(data)-crc32.Size]) !=
		binary.LittleEndian.Uint32(data[len(data)-crc32.Size:]) {
		return tensor.Dense{}, false
	}
	d, err := tensor.ReadNPY(bytes.NewReader(data))
	return d, err == nil && slices.Equal(d.Shape, shape)
}

// put keeps an embedding.
func (s *store) put(rgb resample.RGB, d tensor.Dense) error {
	if s == nil {
		return nil
	}
	f, err := renameio.NewPendingFile(s.path(rgb), renameio.WithPermissions(0o666))
	if err != nil {
		return fmt.Errorf("keep embedding: %w", err)
	}
	defer f.Cleanup()
	w, sum := bufio.NewWriter(f), crc32.NewIEEE()
	if err = tensor.WriteNPY(io.MultiWriter(w, sum), d); err == nil {
		err = errors.Join(binary.Write(w, binary.LittleEndian, sum.Sum32()), w.Flush())
	}
	if err == nil {
		err = f.CloseAtomicallyReplace()
	}
	if err != nil {
		return fmt.Errorf("keep embedding: %w", err)
	}
	return nil
}
