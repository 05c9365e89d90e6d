package configs

import "encoding/json"

// Schema is the JSON Schema (draft 2020-12) of a suite file, for editors that complete and check YAML. It tells
// less than [Parse]: it knows no method's parameters and no data set's names.
func Schema() []byte {
	o := append(object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"title", "ovbench suite"},
	}, mapping(suiteFields, true)...)
	out, err := json.MarshalIndent(o, "", "  ")
	if err != nil {
		panic(err) // strings, numbers and lists of them are always JSON
	}
	return append(out, '\n')
}

// mapping is the schema of a mapping with these fields. With complete, needed ones must be there.
func mapping[T any](fields []field[T], complete bool) object {
	var properties object
	for _, f := range fields {
		if f.schema != nil {
			properties = append(properties, pair{f.key, append(object{{"description", f.doc}}, f.schema()...)})
		}
	}
	o := object{{"type", "object"}, {"properties", properties}, {"additionalProperties", false}}
	if complete {
		o = append(o, pair{"required", required(fields)})
	}
	return o
}
