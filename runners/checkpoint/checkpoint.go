// Package checkpoint answers: which named tensors does this file hold, and where do they lie?
//
// [Open] reads the tables of contents of the forms CLIP weights come in: Hugging Face
// safetensors (one file or shards), PyTorch's zip archives of a state dict or of a training
// checkpoint, and the TorchScript archives OpenAI published. It reads no tensor data, and it
// executes nothing: a pickle is decoded into inert values, whatever it asks for.
//
// The form is decided by content, never by the file's name. Files come from anywhere, so every
// length they claim is checked against what is there before anything is allocated.
package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ovbench/runners/files"
	"ovbench/runners/tensor"
)

// Format is the form of a checkpoint, in words.
type Format string

// The forms Open reads.
const (
	Safetensors        Format = "safetensors"
	ShardedSafetensors Format = "safetensors (sharded)"
	StateDict          Format = "pytorch state dict"
	ShardedStateDict   Format = "pytorch state dict (sharded)"
	TorchScript        Format = "torchscript"
)

// Limits on what a file may claim. The largest published CLIP has about 2000 tensors of rank 4 at
// most, names below 100 bytes, a header of 0.3 MB and a pickle of 0.2 MB.
const (
	maxTensors = 1 << 17
	maxName    = 512 // bytes
	maxRank    = 16
)

// Checkpoint is the table of contents of a model's weights. It holds no open file and does not
// change after Open: share it freely. The zero value is empty.
type Checkpoint struct {
	Path     string // as given to Open
	Format   Format
	Files    []string              // every weight file, sorted
	Tensors  map[string]tensor.Ref // by name, without a common "module." prefix
	Metadata map[string]string     // what a safetensors header or index says about itself; may be nil
	Notes    []string              // what was chosen among several, or left out, in words for the user
}

// contents is what one weight file holds.
type contents struct {
	format   Format
	tensors  map[string]tensor.Ref
	metadata map[string]string
	notes    []string
}

// Open reads the table of contents of a weight file, of a .safetensors.index.json, or of the
// weights in a Hugging Face directory. It takes time in proportion to the number of tensors, not
// to their size.
func Open(path string) (*Checkpoint, error) {
	file, notes, err := locate(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Path: path, Files: []string{file}}
	found, err := readFile(file)
	if errors.Is(err, errIndex) {
		found, c.Files, err = readSharded(file)
	}
	if err != nil {
		return nil, err
	}
	if len(found.tensors) == 0 {
		return nil, fmt.Errorf("%s: no tensors; is it the model's weight file?", file)
	}
	c.Format, c.Metadata, c.Notes = found.format, found.metadata, append(notes, found.notes...)
	c.Tensors = withoutModule(found.tensors)
	return c, nil
}

// Names lists the tensors in sorted order.
func (c *Checkpoint) Names() []string { return slices.Sorted(maps.Keys(c.Tensors)) }

// errIndex says that a file is no weight file but an index of shards.
var errIndex = errors.New("is an index of shards, not a weight file")

// readFile reads the table of contents of one weight file. Its errors name the file.
func readFile(path string) (contents, error) {
	f, err := files.Open(path)
	if err != nil {
		return contents{}, fmt.Errorf("%w; give a weight file or a Hugging Face directory", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return contents{}, err
	}
	c, err := readContents(path, f, info.Size())
	if err != nil {
		return contents{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// readContents decides by the first bytes which form the size bytes of f have, and reads it.
// The tensors' Path will be path.
func readContents(path string, f io.ReaderAt, size int64) (contents, error) {
	start := make([]byte, min(size, 64))
	if _, err := f.ReadAt(start, 0); err != nil && err != io.EOF {
		return contents{}, err
	}
	switch begins := func(s string) bool { return bytes.HasPrefix(start, []byte(s)) }; {
	case size == 0:
		return contents{}, errors.New("has zero bytes: copy or download it again")
	case begins("PK\x03\x04"):
		return readTorch(path, f, size)
	case len(start) > 8 && start[8] == '{' && binary.LittleEndian.Uint64(start) <= maxHeader:
		return readSafetensors(path, f, size)
	case begins("\x80") && len(start) > 1 && start[1] <= 5:
		return contents{}, errors.New("is a legacy PyTorch pickle, not a zip archive; load it in Python and re-save it " +
			"with torch.save(..., _use_new_zipfile_serialization=True), or convert it to safetensors")
	case begins("version https://git-lfs"):
		return contents{}, errors.New("is a Git LFS pointer, not the weights; run git lfs pull")
	case bytes.HasPrefix(bytes.TrimLeft(start, " \t\r\n"), []byte("{")):
		return contents{}, errIndex
	case len(start) > 8 && start[8] == '{':
		return readSafetensors(path, f, size)
	}
	return contents{}, fmt.Errorf("is not a checkpoint (it begins with %q); give safetensors or a PyTorch zip archive",
		start[:min(len(start), 8)])
}

// withoutModule drops the prefix DataParallel puts before every name.
func withoutModule(tensors map[string]tensor.Ref) map[string]tensor.Ref {
	const prefix = "module."
	for name := range tensors {
		if len(name) <= len(prefix) || !strings.HasPrefix(name, prefix) {
			return tensors
		}
	}
	out := make(map[string]tensor.Ref, len(tensors))
	for name, r := range tensors {
		out[name[len(prefix):]] = r
	}
	return out
}

// checkName refuses names no model has and no message can show.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("a tensor has an empty name; re-export the model")
	case len(name) > maxName:
		return fmt.Errorf("tensor %q… has a name of %d bytes; at most %d are read", name[:32], len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("tensor name %q has characters that are no text; re-export the model", name)
	}
	return nil
}

// checkShape is the number of elements of shape. Dimensions are not negative.
func checkShape(shape []int) (int64, error) {
	if len(shape) > maxRank {
		return 0, fmt.Errorf("has %d dimensions; at most %d are read", len(shape), maxRank)
	}
	n, ok := tensor.Elements(shape)
	if !ok {
		return 0, fmt.Errorf("has shape %v, which overflows", shape)
	}
	return n, nil
}
