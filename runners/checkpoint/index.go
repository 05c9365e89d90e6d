package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/runners/files"
	"ovbench/runners/tensor"
)

// Limits on an index of shards.
const (
	maxIndex  = 32 << 20 // bytes
	maxShards = 1024
)

// index is a .safetensors.index.json or .bin.index.json.
type index struct {
	metadata map[string]string
	shards   map[string][]string // file name -> tensors mapped to it
}

// readSharded reads an index and every shard it names: the tensors mapped, and no others.
// The shards are sorted. Errors name the index or the shard.
func readSharded(path string) (c contents, shards []string, err error) {
	ix, err := readIndex(path)
	if err != nil {
		return c, nil, err
	}
	c = contents{tensors: map[string]tensor.Ref{}, metadata: ix.metadata}
	for _, name := range slices.Sorted(maps.Keys(ix.shards)) {
		file := filepath.Join(filepath.Dir(path), name)
		shard, err := readFile(file)
		if err != nil {
			return c, nil, fmt.Errorf("%s: shard %w", path, err)
		}
		sharded, ok := map[Format]Format{Safetensors: ShardedSafetensors, StateDict: ShardedStateDict}[shard.format]
		if !ok || c.format != "" && c.format != sharded {
			return c, nil, fmt.Errorf("%s: shard %s is a %s; convert the model to safetensors", path, file, shard.format)
		}
		c.format = sharded
		for _, t := range ix.shards[name] {
			r, ok := shard.tensors[t]
			if !ok {
				return c, nil, fmt.Errorf("%s: tensor %q is not in shard %s; index and shards are of different models, download "+
					"them again", path, t, file)
			}
			c.tensors[t] = r
		}
		shards = append(shards, file)
	}
	return c, shards, nil
}

// Shards are the files that an index of shards names, sorted. They lie beside it.
func Shards(index string) ([]string, error) {
	ix, err := readIndex(index)
	return slices.Sorted(maps.Keys(ix.shards)), err
}

func readIndex(path string) (index, error) {
	text, err := files.Read(path, maxIndex)
	if err != nil {
		return index{}, fmt.Errorf("%w; give the weight file itself", err)
	}
	ix, err := parseIndex(text)
	if err != nil {
		return ix, fmt.Errorf("%s: %w", path, err)
	}
	return ix, nil
}

// parseIndex reads {"metadata": {…}, "weight_map": {tensor: file}}.
func parseIndex(text []byte) (index, error) {
	ix := index{shards: map[string][]string{}}
	j, err := newJSON(text)
	if err != nil {
		return ix, err
	}
	mapped := 0
	err = j.object(func(key string) error {
		switch key {
		case "metadata":
			ix.metadata = map[string]string{}
			return j.object(func(key string) error {
				s, ok, err := j.scalar()
				if ok {
					ix.metadata[key] = s
				}
				return err
			})
		case "weight_map":
			return j.object(func(name string) error {
				if err := checkName(name); err != nil {
					return err
				}
				file, err := j.text()
				if err != nil {
					return fmt.Errorf("tensor %q: %w", name, err)
				}
				if !plainName(file) {
					return fmt.Errorf("tensor %q is mapped to %q; shards must lie beside their index, named without directories", name,
						file)
				}
				mapped++
				ix.shards[file] = append(ix.shards[file], name)
				if len(ix.shards) > maxShards {
					return fmt.Errorf("more than %d shards", maxShards)
				}
				return nil
			})
		}
		return fmt.Errorf("key %q is not known in an index of shards; give the weight file itself", key)
	})
	switch {
	case err != nil:
		return ix, err
	case mapped == 0:
		return ix, errors.New("no weight_map; give the index of the shards or the weight file itself")
	}
	return ix, j.end()
}

// plainName reports whether file, joined to a directory, stays in it on every system.
func plainName(file string) bool {
	return file != "" && len(file) <= 255 && file != "." && file != ".." &&
		!strings.ContainsAny(file, "/\\:\x00") && filepath.IsLocal(file)
}
