package results

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
)

// FileName is the file of a Run in its folder.
const FileName = "results.json"

// What Read accepts. The counts bound memory: a short text can spell many structs.
const (
	maxBytes   = 64 << 20
	maxObjects = 1 << 19 // JSON objects: 12 methods x 20 data sets x 847 classes are 0.2 million
	maxValues  = 1 << 22
)

// Read reads the results of a run folder, or of the file itself. What it returns is valid as [Run.Validate] says.
func Read(dirOrFile string) (*Run, error) {
	path := dirOrFile
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, FileName)
		info, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: no such file; name a run folder (ovbench run SUITE --out DIR makes one)", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, err
	}
	r, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.Dir = filepath.Dir(path)
	return r, nil
}

// decode is Read for bytes.
func decode(raw []byte) (*Run, error) {
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("larger than %d MiB, which no run is; restore the file or measure again", maxBytes>>20)
	}
	if objects, values := count(raw); objects > maxObjects || values > maxValues {
		return nil, fmt.Errorf("%d objects and %d values are more than any run has (%d and %d)", objects, values,
			maxObjects, maxValues)
	}
	var head struct {
		Schema string
		Tool   struct{ Version string }
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("%w; restore the file or measure again", located(raw, err))
	}
	if head.Schema != Schema {
		by := "the ovbench that wrote it"
		if head.Tool.Version != "" {
			by = fmt.Sprintf("ovbench %.40q, which wrote it", head.Tool.Version)
		}
		return nil, fmt.Errorf("schema is %.40q, not %q; read it with %s, or measure again", head.Schema, Schema, by)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	r := new(Run)
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%w; FORMAT.md of reports/results lists the keys", located(raw, err))
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, nil
}

// count is the number of objects and of values (at most one too few) a JSON text spells.
func count(raw []byte) (objects, values int) {
	quoted := false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			objects++
			values++
		case c == '[', c == ',':
			values++
		}
	}
	return objects, values
}

// located puts the line in front of what encoding/json says.
func located(raw []byte, err error) error {
	offset := int64(-1)
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = e.Offset
	} else if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = e.Offset
	}
	if offset < 0 || offset > int64(len(raw)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(raw[:offset], []byte("\n")), err)
}

// Write writes r as results.json into the folder dir, which is made if it is
// missing. The file appears whole or not at all, and is on the disk on return.
// Equal runs give equal bytes. Write sets Schema and Dir, and refuses what Read would refuse.
func (r *Run) Write(dir string) error {
	r.Schema, r.Dir = Schema, dir
	path := filepath.Join(dir, FileName)
	raw, err := r.encode()
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return WriteFile(path, raw)
}

func (r *Run) encode() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	out := *r
	out.Started, out.Finished = r.Started.UTC(), r.Finished.UTC()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(&out); err != nil {
		return nil, err
	}
	if objects, values := count(b.Bytes()); b.Len() > maxBytes || objects > maxObjects || values > maxValues {
		return nil, fmt.Errorf("%d bytes, %d objects and %d values are more than can be read back; measure fewer "+
			"data sets or methods in one run", b.Len(), objects, values)
	}
	return b.Bytes(), nil
}

// WriteFile puts data at path: the old file or the whole new one, never a part, and the new one is on the disk on
// return.
func WriteFile(path string, data []byte) error {
	if err := renameio.WriteFile(path, data, 0o666); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close()) // the rename itself
}

// Open opens a regular file of the run folder by its slash-separated relative
// path. Neither the path nor a symbolic link leads out of the folder.
func (r *Run) Open(path string) (*os.File, error) {
	if r.Dir == "" {
		return nil, fmt.Errorf("%s: the run was not read from a folder", path)
	}
	root, err := os.OpenRoot(r.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	name := filepath.FromSlash(path)
	info, err := root.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", filepath.Join(r.Dir, name))
	}
	return root.Open(name)
}

// Computed says how the numbers were computed, such as "bf16 on openvino".
func (r Runtime) Computed() string {
	return cmp.Or(r.Precision, "f32") + " on " + cmp.Or(r.Device, "cpu")
}

// Utilisation is the share of its machine's cores that a run kept busy, 0 if it does not say.
func (r *Run) Utilisation() float64 {
	if all := r.Timing.Wall * float64(r.Host.Cores); all > 0 {
		return r.Timing.CPU / all
	}
	return 0
}

// Stages are the names in Seconds, longest first; equal ones by name.
func (t Timing) Stages() []string {
	names := make([]string, 0, len(t.Seconds))
	for n := range t.Seconds {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(t.Seconds[b], t.Seconds[a]), cmp.Compare(a, b))
	})
	return names
}
