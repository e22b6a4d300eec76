package interop;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Optional;
import java.util.stream.Stream;
import org.jmrtd.lds.SecurityInfo;
import org.jmrtd.lds.icao.DG14File;

/** What DG14 announces. */
final class SecurityInfos {
    private SecurityInfos() {}

    static <T extends SecurityInfo> Stream<T> all(byte[] dg14, Class<T> kind) throws IOException {
        return new DG14File(new ByteArrayInputStream(dg14))
                .getSecurityInfos().stream().filter(kind::isInstance).map(kind::cast);
    }

    static <T extends SecurityInfo> Optional<T> first(byte[] dg14, Class<T> kind) throws IOException {
        return all(dg14, kind).findFirst();
    }
}
