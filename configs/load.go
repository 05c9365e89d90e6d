package configs

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

//go:embed *.yaml
var builtins embed.FS

const protocolsFile = "protocols.yaml"

// Names lists the built-in suites in alphabetical order.
func Names() []string {
	files, err := builtins.ReadDir(".")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".yaml"); f.Name() != protocolsFile {
			names = append(names, name)
		}
	}
	return names
}

// Load reads a suite: a file if nameOrPath has a path separator or ends in .yaml or .yml, else a built-in one.
// What is relative in a built-in suite is relative to the working directory. Every error is the user's to mend;
// those about the content are [Faults].
func Load(nameOrPath string, known Known) (*Suite, error) {
	if !strings.ContainsAny(nameOrPath, `/\`) && !strings.HasSuffix(nameOrPath, ".yaml") && !strings.HasSuffix(nameOrPath, ".yml") {
		data, err := builtins.ReadFile(nameOrPath + ".yaml")
		if err != nil || nameOrPath+".yaml" == protocolsFile {
			return nil, fmt.Errorf("suite %s %s (ovbench list suites; a file's name ends in .yaml)", quote(nameOrPath),
				notKnown(nameOrPath, Names()))
		}
		return Parse(nameOrPath+".yaml", data, known)
	}
	data, err := readFile(nameOrPath, maxFile)
	if err != nil {
		return nil, err
	}
	return Parse(nameOrPath, data, known)
}

// readFile reads a file of at most so many bytes.
func readFile(path string, most int) ([]byte, error) {
	info, err := os.Stat(path) // before Open, which waits for ever on a named pipe
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w; check the path, or name a built-in suite (ovbench list suites)", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file; a suite is one YAML file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(most)+1)) // one more than may be, to know of it
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > most {
		return nil, fmt.Errorf("%s: %s", path, tooLarge(most))
	}
	return data, nil
}

// Parse reads a suite from data. file is for messages and for what is relative in the suite; nothing else is
// opened. The error is [Faults], all of them at once.
func Parse(file string, data []byte, known Known) (*Suite, error) {
	r := newReader(file, known)
	root := r.parse(data)
	if root == nil {
		return nil, r.faults.Err()
	}
	s := r.readSuite(root)
	if err := r.faults.Err(); err != nil {
		return nil, err
	}
	return s, nil
}
