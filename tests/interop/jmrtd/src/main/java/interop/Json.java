package interop;

import java.util.Map;
import java.util.stream.Collectors;

/** Writes maps, texts, numbers and truth values; everything here is ASCII. */
final class Json {
    private Json() {}

    static String write(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(entry -> write(entry.getKey()) + ":" + write(entry.getValue()))
                    .collect(Collectors.joining(",", "{", "}"));
        }
        if (value == null || value instanceof Number || value instanceof Boolean) {
            return String.valueOf(value);
        }
        return value.toString().chars().mapToObj(Json::quote).collect(Collectors.joining("", "\"", "\""));
    }

    private static String quote(int character) {
        boolean plain = character >= 0x20 && character < 0x7F && character != '"' && character != '\\';
        return plain ? String.valueOf((char) character) : String.format("\\u%04x", character);
    }
}
