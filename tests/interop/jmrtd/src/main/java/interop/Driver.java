package interop;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.security.Provider;
import java.security.Security;
import java.time.Instant;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import javax.smartcardio.CardTerminal;
import javax.smartcardio.TerminalFactory;
import net.sf.scuba.smartcards.CardService;
import net.sf.scuba.smartcards.CardServiceException;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.jmrtd.AccessKeySpec;
import org.jmrtd.BACKey;
import org.jmrtd.PACEKeySpec;
import org.jmrtd.PassportService;
import org.jmrtd.lds.CardAccessFile;
import org.jmrtd.lds.ChipAuthenticationInfo;
import org.jmrtd.lds.ChipAuthenticationPublicKeyInfo;
import org.jmrtd.lds.LDSFileUtil;
import org.jmrtd.lds.PACEInfo;
import org.jmrtd.lds.SecurityInfo;
import org.jmrtd.protocol.EACCAResult;
import org.jmrtd.protocol.PACECAMResult;
import org.jmrtd.protocol.PACEResult;

/**
 * Reads a card with JMRTD over javax.smartcardio, once for every request, and answers each with one line of JSON: what
 * each step came to, and every file. Where the driver itself breaks it ends with a stack trace and an exit code.
 */
final class Driver {
    private static final int LARGE_BLOCK = 8000; // javax.smartcardio takes no answer over 8192 octets
    private static final int MRZ_NUMBER = 9; // characters of a document number in the MRZ

    private final Request request;
    private final int blockSize;
    private final Provider provider = new BouncyCastleProvider();
    private final Map<String, Object> outcomes = new LinkedHashMap<>();
    private final Map<String, Object> milliseconds = new LinkedHashMap<>();
    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private Map<String, Object> hashes = Map.of();
    private PACEResult pace;
    private EACCAResult chipAuthentication;

    private Driver(Request request) {
        this.request = request;
        this.blockSize = request.isOn("extended") ? LARGE_BLOCK : PassportService.DEFAULT_MAX_BLOCKSIZE;
    }

    public static void main(String[] arguments) throws Exception {
        Security.insertProviderAt(new BouncyCastleProvider(), 1); // as JMRTD asks; integrated mapping fails otherwise
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (Optional<Request> next = Request.read(lines); next.isPresent(); next = Request.read(lines)) {
            System.out.println(Json.write(new Driver(next.get()).run()));
        }
    }

    private Map<String, Object> run() throws Exception {
        CardService terminal = CardService.getInstance(findTerminal());
        int transceive = request.isOn("extended")
                ? PassportService.EXTENDED_MAX_TRANCEIVE_LENGTH
                : PassportService.NORMAL_MAX_TRANCEIVE_LENGTH;
        PassportService service = new PassportService(terminal, transceive, blockSize, request.isOn("sfi"), true);
        service.open();
        try {
            if (attempt("access", () -> open(service))) {
                read(service);
            }
        } finally {
            service.close();
        }
        return report();
    }

    private CardTerminal findTerminal() throws Exception {
        CardTerminal terminal = TerminalFactory.getDefault().terminals().getTerminal(request.text("reader"));
        if (terminal == null) {
            throw new IllegalStateException("no reader of that name");
        }
        return terminal;
    }

    // --- access

    private String open(PassportService service) throws Exception {
        if (request.text("access").equals("bac")) {
            service.sendSelectApplet(false);
            service.doBAC((BACKey) password());
            return "BAC";
        }
        PACEInfo info = findPaceInfo(service);
        AccessKeySpec key = password();
        PACEKeySpec spec = key instanceof BACKey mrz ? PACEKeySpec.createMRZKey(mrz) : (PACEKeySpec) key;
        pace =
                service.doPACE(spec, info.getObjectIdentifier(), PACEInfo.toParameterSpec(info.getParameterId()), info.getParameterId());
        service.sendSelectApplet(true);
        return String.join(
                " ",
                "PACE",
                pace.getMappingType().name(),
                pace.getAgreementAlg(),
                pace.getCipherAlg() + "-" + pace.getKeyLength(),
                PACEInfo.toStandardizedParamIdString(info.getParameterId()));
    }

    private PACEInfo findPaceInfo(PassportService service) throws Exception {
        byte[] raw = service.getInputStream(PassportService.EF_CARD_ACCESS, PassportService.DEFAULT_MAX_BLOCKSIZE).readAllBytes();
        files.put("EF.CardAccess", raw);
        String wanted = request.has("pace") ? request.text("pace") : "";
        for (SecurityInfo info : new CardAccessFile(new ByteArrayInputStream(raw)).getSecurityInfos()) {
            if (info instanceof PACEInfo announced && announced.getObjectIdentifier().startsWith(wanted)) {
                return announced;
            }
        }
        throw new IllegalStateException("the chip announces no such PACE protocol");
    }

    private AccessKeySpec password() {
        String value = request.text("value");
        return switch (request.text("password")) {
            case "can" -> PACEKeySpec.createCANKey(value);
            case "pin" -> PACEKeySpec.createPINKey(value);
            case "puk" -> PACEKeySpec.createPUKKey(value);
            default -> {
                String[] parts = value.split(",");
                yield new BACKey(parts[0], parts[1], parts[2]);
            }
        };
    }

    // --- the rest of a session

    private void read(PassportService service) throws Exception {
        boolean sound = attempt("EF.COM", () -> keep(service, "EF.COM", PassportService.EF_COM))
                && attempt("EF.SOD", () -> keep(service, "EF.SOD", PassportService.EF_SOD));
        if (!sound) {
            return;
        }
        PassiveAuthentication passive = new PassiveAuthentication(files.get("EF.SOD"), provider);
        if (passive.dataGroups().contains(14)) {
            attempt("DG14", () -> keep(service, "DG14", PassportService.EF_DG14));
            sound = authenticateChip(service, files.get("DG14"));
        }
        if (sound) {
            authenticateTerminal(service);
            readDataGroups(service, passive);
            authenticateActively(service);
            hashes = passive.compareHashes(files);
        }
        authenticatePassively(passive);
    }

    private void readDataGroups(PassportService service, PassiveAuthentication passive) throws Exception {
        for (int number : passive.dataGroups()) {
            String name = "DG" + number;
            if (!files.containsKey(name)) {
                attempt(name, () -> keep(service, name, LDSFileUtil.lookupFIDByDataGroupNumber(number)));
            }
        }
        attempt("images", () -> Images.describe(files));
        if (files.containsKey("DG4")) {
            attempt("irises", () -> Irises.describe(files.get("DG4")));
        }
    }

    private String keep(PassportService service, String name, short identifier) throws CardServiceException, IOException {
        byte[] raw = service.getInputStream(identifier, blockSize).readAllBytes();
        files.put(name, raw);
        return "read";
    }

    private boolean authenticateChip(PassportService service, byte[] dg14) throws IOException {
        if (pace instanceof PACECAMResult withChip) {
            attempt("chip-authentication mapping", () ->
                    ChipAuthenticationMapping.isRight(withChip, dg14)
                            ? "passed"
                            : "failed: the chip does not know a key of DG14");
        }
        Optional<ChipAuthenticationInfo> info = SecurityInfos.first(dg14, ChipAuthenticationInfo.class);
        return info.isEmpty() || attempt("chip authentication", () -> authenticateChip(service, dg14, info.get()));
    }

    private String authenticateChip(PassportService service, byte[] dg14, ChipAuthenticationInfo info) throws Exception {
        ChipAuthenticationPublicKeyInfo key =
                SecurityInfos.first(dg14, ChipAuthenticationPublicKeyInfo.class).orElseThrow();
        chipAuthentication = service.doEACCA(key.getKeyId(), info.getObjectIdentifier(), key.getObjectIdentifier(), key.getSubjectPublicKey());
        // Only a chip that knows its private key can answer under the new keys. EF.COM would come from JMRTD's cache.
        keep(service, "DG1", PassportService.EF_DG1);
        return "passed";
    }

    private void authenticateTerminal(PassportService service) {
        if (request.has("terminal_key")) {
            attempt("terminal authentication", () -> {
                String documentNumber = request.text("value").split(",")[0];
                documentNumber += "<".repeat(Math.max(0, MRZ_NUMBER - documentNumber.length())); // JMRTD takes it as it is
                new TerminalAuthentication(request, provider).run(service, chipAuthentication, pace, documentNumber);
                return "passed";
            });
        }
    }

    private void authenticateActively(PassportService service) {
        if (files.containsKey("DG15")) {
            byte[] challenge = request.octets("challenge");
            attempt("active authentication", () -> {
                boolean right = ActiveAuthentication.run(service, files.get("DG14"), files.get("DG15"), challenge, provider);
                return right ? "passed" : "failed: the signature is not that of DG15's key";
            });
        }
    }

    private void authenticatePassively(PassiveAuthentication passive) {
        attempt("EF.SOD signature", () -> passive.isSignatureRight() ? "passed" : "failed");
        if (request.has("csca")) {
            attempt("certificate path", () -> {
                passive.validatePath(request.octets("csca"), request.octets("crl"), Instant.parse(request.text("at")));
                return "passed";
            });
        }
    }

    // --- bookkeeping

    private boolean attempt(String step, Callable<String> action) {
        long begin = System.nanoTime();
        try {
            outcomes.put(step, action.call());
            return true;
        } catch (Exception failure) {
            outcomes.put(step, "failed: " + describe(failure));
            return false;
        } finally {
            milliseconds.put(step, (System.nanoTime() - begin) / 1_000_000);
        }
    }

    private static String describe(Throwable failure) {
        StringBuilder text = new StringBuilder();
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            text.append(text.isEmpty() ? "" : " <- ").append(cause.getClass().getSimpleName()).append(": ").append(cause.getMessage());
        }
        return text.toString();
    }

    private Map<String, Object> report() {
        Map<String, Object> contents = new LinkedHashMap<>();
        files.forEach((name, raw) -> contents.put(name, HexFormat.of().formatHex(raw)));
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("outcomes", outcomes);
        report.put("hashes", hashes);
        report.put("files", contents);
        report.put("milliseconds", milliseconds);
        return report;
    }
}
