package results

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// node is a JSON object that keeps the order of its keys.
type node []member

type member struct {
	key   string
	value any
}

func (n node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// comments are those of the types and fields of results.go, by "Type" and "Type.Field", each on one line.
func comments(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "results.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	line := func(groups ...*ast.CommentGroup) string {
		for _, g := range groups {
			if s := strings.Join(strings.Fields(g.Text()), " "); s != "" {
				return s
			}
		}
		return ""
	}
	out := map[string]string{}
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			typ, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			out[typ.Name.Name] = line(g.Doc)
			if fields, ok := typ.Type.(*ast.StructType); ok {
				for _, f := range fields.Fields.List {
					for _, name := range f.Names {
						out[typ.Name.Name+"."+name.Name] = line(f.Doc, f.Comment)
					}
				}
			}
		}
	}
	return out
}

// makeSchema is the schema of Run.
func makeSchema(t *testing.T) []byte {
	docs := comments(t)
	var defs node
	seen := map[string]bool{}
	var of func(reflect.Type) node
	object := func(typ reflect.Type) node {
		var properties node
		required := []string{}
		for f := range typ.Fields() {
			key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if key == "-" {
				continue
			}
			var p node
			if doc := docs[typ.Name()+"."+f.Name]; doc != "" {
				p = append(p, member{"description", doc})
			}
			if key == "schema" {
				p = append(p, member{"const", Schema})
			} else {
				p = append(p, of(f.Type)...)
			}
			properties = append(properties, member{key, p})
			if options == "" {
				required = append(required, key)
			}
		}
		return node{{"description", docs[typ.Name()]}, {"type", "object"}, {"properties", properties},
			{"required", required}, {"additionalProperties", false}}
	}
	of = func(typ reflect.Type) node {
		switch typ.Kind() {
		case reflect.Pointer:
			return of(typ.Elem())
		case reflect.Bool:
			return node{{"type", "boolean"}}
		case reflect.Int, reflect.Int64:
			return node{{"type", "integer"}}
		case reflect.Float64:
			return node{{"type", "number"}}
		case reflect.String:
			return node{{"type", "string"}}
		case reflect.Interface:
			return node{}
		case reflect.Slice:
			return node{{"type", "array"}, {"items", of(typ.Elem())}}
		case reflect.Array:
			return node{{"type", "array"}, {"items", of(typ.Elem())}, {"minItems", typ.Len()}, {"maxItems", typ.Len()}}
		case reflect.Map:
			return node{{"type", "object"}, {"additionalProperties", of(typ.Elem())}}
		case reflect.Struct:
			if typ == reflect.TypeFor[time.Time]() {
				return node{{"type", "string"}, {"format", "date-time"}}
			}
			if !seen[typ.Name()] {
				seen[typ.Name()] = true
				at := len(defs)
				defs = append(defs, member{typ.Name(), nil})
				defs[at].value = object(typ)
			}
			return node{{"$ref", "#/$defs/" + typ.Name()}}
		}
		t.Fatalf("no schema for %v", typ)
		return nil
	}
	root := node{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "urn:" + strings.ReplaceAll(Schema, "/", ":")}, {"title", "ovbench results.json, format " + Schema}}
	root = append(root, object(reflect.TypeFor[Run]())...)
	root = append(root, member{"$defs", defs})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSchemaIsTheTypes: -update rewrites schema.json.
func TestSchemaIsTheTypes(t *testing.T) {
	want := makeSchema(t)
	if *update {
		if err := os.WriteFile("schema.json", want, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(JSONSchema())); diff != "" {
		t.Errorf("schema.json (-want +got; -update rewrites it):\n%s", diff)
	}
}

// TestSchemaInPython holds the schema to a validator: what Write writes is valid, what Read refuses for its shape is
// not.
func TestSchemaInPython(t *testing.T) {
	py := os.Getenv("OVBENCH_PYTHON")
	if py == "" {
		t.Skip("set OVBENCH_PYTHON to a Python with jsonschema")
	}
	dir := t.TempDir()
	good, err := example().withSchema().encode()
	if err != nil {
		t.Fatal(err)
	}
	bare, err := (&Run{Schema: Schema}).encode()
	if err != nil {
		t.Fatal(err)
	}
	files := []string{}
	add := func(name string, raw []byte) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		files = append(files, path)
	}
	add("good.json", good)
	add("bare.json", bare)
	for name, edit := range map[string][2]string{
		"bad-key.json":     {`"complete"`, `"compleat"`},
		"bad-schema.json":  {Schema, "ovbench.run/0"},
		"bad-type.json":    {`"images": 10`, `"images": "10"`},
		"bad-null.json":    {"\"value\": 0\n", "\"value\": null\n"},
		"bad-missing.json": {`"complete": true,`, ""},
	} {
		text := strings.Replace(string(good), edit[0], edit[1], 1)
		if text == string(good) {
			t.Fatalf("%s: nothing to change", name)
		}
		add(name, []byte(text))
	}
	const script = `
import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
v = jsonschema.Draft202012Validator(schema)
print("\n".join(("valid " if v.is_valid(json.load(open(f))) else "invalid ") + f for f in sys.argv[2:]))
`
	out, err := exec.CommandContext(t.Context(), py, append([]string{"-c", script, "schema.json"},
		files...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(files) {
		t.Fatalf("%s", out)
	}
	for i, line := range lines {
		want := "valid "
		if strings.HasPrefix(filepath.Base(files[i]), "bad") {
			want = "invalid "
		}
		if line != want+files[i] {
			t.Errorf("%s, want %s", line, want)
		}
	}
}
