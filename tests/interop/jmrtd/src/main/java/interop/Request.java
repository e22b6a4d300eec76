package interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.Optional;

/**
 * What to do, as lines "name=value" up to an empty one. It comes on standard input: a password on a command line could
 * be read by anybody.
 */
record Request(Map<String, String> values) {
    /** The next request, or none at the end of the input. */
    static Optional<Request> read(BufferedReader lines) throws IOException {
        Map<String, String> values = new HashMap<>();
        for (String line = lines.readLine(); line != null && !line.isEmpty(); line = lines.readLine()) {
            int equals = line.indexOf('=');
            values.put(line.substring(0, equals), line.substring(equals + 1));
        }
        return values.isEmpty() ? Optional.empty() : Optional.of(new Request(values));
    }

    String text(String name) {
        String value = values.get(name);
        if (value == null) {
            throw new IllegalArgumentException("the request lacks " + name);
        }
        return value;
    }

    byte[] octets(String name) {
        return HexFormat.of().parseHex(text(name));
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    boolean isOn(String name) {
        return "yes".equals(values.get(name));
    }
}
