import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/**
 * Makes vectors (../README.md) with the message classes and JSON converters of the kafka-clients that is on the class path. Which fields a
 * message has, of which type and in which versions, is read from the schemas in the same jar; what comes out is Kafka's own.
 *
 * <p>System properties: vectors.apis (names with commas, default: those of the files in ..), vectors.out (default: target/vectors).
 */
public final class Generate {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final ObjectMapper SCHEMAS = new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String[] CASES = {"defaults", "typical", "nulls", "empty", "max", "min", "long", "tagged", "random1", "random2", "random3"};
    private static final String LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

    public static void main(String[] args) throws Exception {
        Path vectors = Path.of(System.getProperty("vectors.dir", ".."));
        Path out = Path.of(System.getProperty("vectors.out", vectors.resolve("generate/target/vectors").toString()));
        String named = System.getProperty("vectors.apis", "");
        List<String> names = named.isEmpty() ? namesIn(vectors) : List.of(named.split(","));
        Files.createDirectories(out);
        List<String> table = new ArrayList<>(List.of("api\tkey\tversions\tflexible from\trequest header\tresponse header"));
        int count = 0;
        for (String name : names) {
            List<Schema> schemas = schemasOf(name);
            List<String> lines = new ArrayList<>();
            for (Schema schema : schemas) {
                for (int version = schema.valid.low; version <= schema.valid.high; version++) {
                    for (String each : CASES) {
                        if (each.equals("tagged") && !schema.flexible.has(version)) continue;
                        lines.add(JSON.writeValueAsString(new Vector(schema, (short) version, each).make()));
                    }
                }
            }
            Files.write(out.resolve(name + ".jsonl"), lines);
            count += lines.size();
            if (schemas.get(0).apiKey >= 0) table.add(row(name, schemas.get(0)));
        }
        Files.write(out.resolve("apis.tsv"), table);
        System.out.println(count + " vectors of Kafka " + kafkaVersion() + " in " + out.normalize());
    }

    private static String kafkaVersion() throws IOException {
        try (InputStream in = Generate.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version");
        }
    }

    private static List<String> namesIn(Path dir) throws IOException {
        try (Stream<Path> files = Files.list(dir)) {
            return files.map(file -> file.getFileName().toString()).filter(file -> file.endsWith(".jsonl"))
                .map(file -> file.substring(0, file.length() - ".jsonl".length())).sorted().toList();
        }
    }

    private static List<Schema> schemasOf(String name) throws IOException {
        if (resource(name) != null) return List.of(new Schema(name, "data"));
        return List.of(new Schema(name + "Request", "request"), new Schema(name + "Response", "response"));
    }

    private static InputStream resource(String name) {
        return Generate.class.getResourceAsStream("/common/message/" + name + ".json");
    }

    /** Kafka's rule, but for ApiVersions, whose answers anybody must be able to read (KIP-511). */
    private static String row(String name, Schema schema) {
        List<String> request = new ArrayList<>();
        List<String> response = new ArrayList<>();
        for (int version = schema.valid.low; version <= schema.valid.high; version++) {
            boolean flexible = schema.flexible.has(version);
            request.add(version + ":" + (flexible ? 2 : 1));
            response.add(version + ":" + (flexible && schema.apiKey != 18 ? 1 : 0));
        }
        int from = schema.flexible.low <= schema.valid.high ? Math.max(schema.flexible.low, schema.valid.low) : -1;
        return String.join("\t", name, String.valueOf(schema.apiKey), schema.valid.low + "-" + schema.valid.high, String.valueOf(from),
            String.join(" ", request), String.join(" ", response));
    }

    /** "3", "0-4", "2+" or "none". */
    private record Range(int low, int high) {
        static Range of(String text) {
            if (text.isEmpty() || text.equals("none")) return new Range(Integer.MAX_VALUE, -1);
            if (text.endsWith("+")) return new Range(Integer.parseInt(text.substring(0, text.length() - 1)), Short.MAX_VALUE);
            String[] ends = text.split("-");
            return new Range(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
        }

        boolean has(int version) {
            return version >= low && version <= high;
        }
    }

    private static final class Schema {
        final String name;
        final String kind;
        final int apiKey;
        final Range valid;
        final Range flexible;
        final JsonNode root;
        final Map<String, JsonNode> structs = new LinkedHashMap<>();

        Schema(String name, String kind) throws IOException {
            try (InputStream in = resource(name)) {
                if (in == null) throw new IllegalArgumentException("Kafka has no message " + name);
                root = SCHEMAS.readTree(in);
            }
            this.name = name;
            this.kind = kind;
            apiKey = root.path("apiKey").asInt(-1);
            valid = Range.of(root.get("validVersions").asText());
            flexible = Range.of(root.path("flexibleVersions").asText("none"));
            for (JsonNode struct : root.path("commonStructs")) structs.put(struct.get("name").asText(), struct.get("fields"));
            collect(root.get("fields"));
        }

        private void collect(JsonNode fields) {
            for (JsonNode field : fields) {
                if (!field.has("fields")) continue;
                structs.put(elementType(field), field.get("fields"));
                collect(field.get("fields"));
            }
        }

        /** RequestHeader and the like end in Data, ConsumerProtocolSubscription and the like do not. */
        Class<?> generated(String suffix) throws ClassNotFoundException {
            String base = "org.apache.kafka.common.message." + name;
            try {
                return Class.forName(base + "Data" + suffix);
            } catch (ClassNotFoundException none) {
                return Class.forName(base + suffix);
            }
        }
    }

    private static String elementType(JsonNode field) {
        String type = field.get("type").asText();
        return type.startsWith("[]") ? type.substring(2) : type;
    }

    private static String camel(JsonNode field) {
        String name = field.get("name").asText();
        return Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** One line. */
    private static final class Vector {
        private final Schema schema;
        private final short version;
        private final String name;
        private final Random random;

        Vector(Schema schema, short version, String name) {
            this.schema = schema;
            this.version = version;
            this.name = name;
            this.random = new Random((schema.name + version + name).hashCode()); // the same values in every run
        }

        ObjectNode make() throws Exception {
            JsonNode given = NODES.objectNode();
            Message message;
            if (name.equals("defaults")) {
                message = (Message) schema.generated("").getConstructor().newInstance();
            } else {
                given = struct(schema.root.get("fields"));
                message = (Message) call("read", new Class<?>[] {JsonNode.class, short.class}, given, version);
            }
            JsonNode json = (JsonNode) call("write", new Class<?>[] {schema.generated(""), short.class}, message, version);
            if (name.equals("tagged")) addUnknownTags(message, schema.root.get("fields"));
            ObjectNode line = NODES.objectNode();
            line.put("api", schema.kind.equals("data") ? schema.name : schema.name.replaceAll("(Request|Response)$", ""));
            line.put("apiKey", schema.kind.equals("data") ? -1 : schema.apiKey);
            line.put("kind", schema.kind);
            line.put("version", version);
            line.put("flexible", schema.flexible.has(version));
            line.put("case", name);
            line.set("json", shown(schema.root.get("fields"), json, given));
            line.put("hex", HexFormat.of().formatHex(bytesOf(message)));
            return line;
        }

        private Object call(String method, Class<?>[] types, Object... args) throws Exception {
            try {
                return schema.generated("JsonConverter").getMethod(method, types).invoke(null, args);
            } catch (InvocationTargetException thrown) {
                throw new IllegalStateException(schema.name + " v" + version + " " + name, thrown.getCause());
            }
        }

        private byte[] bytesOf(Message message) {
            ObjectSerializationCache cache = new ObjectSerializationCache();
            ByteBuffer bytes = ByteBuffer.allocate(message.size(cache, version));
            message.write(new ByteBufferAccessor(bytes), cache, version);
            return bytes.array();
        }

        private ObjectNode struct(JsonNode fields) {
            ObjectNode node = NODES.objectNode();
            for (JsonNode field : fields) {
                if (Range.of(field.get("versions").asText()).has(version)) node.set(camel(field), value(field));
            }
            return node;
        }

        private JsonNode value(JsonNode field) {
            boolean nullable = Range.of(field.path("nullableVersions").asText("none")).has(version);
            if (nullable && (name.equals("nulls") || name.startsWith("random") && random.nextInt(4) == 0)) return NODES.nullNode();
            String type = field.get("type").asText();
            if (!type.startsWith("[]")) return scalar(type);
            ArrayNode array = NODES.arrayNode();
            int length = length(type.substring(2));
            for (int i = 0; i < length; i++) array.add(scalar(type.substring(2)));
            return array;
        }

        /** Long ones only of plain elements: nested ones would grow beyond all measure. */
        private int length(String type) {
            return switch (name) {
                case "empty" -> 0;
                case "typical", "tagged" -> 2;
                case "long" -> schema.structs.containsKey(type) ? 1 : 130;
                default -> name.startsWith("random") ? random.nextInt(4) : 1;
            };
        }

        private JsonNode scalar(String type) {
            return switch (type) {
                case "bool" -> NODES.booleanNode(!name.equals("min") && (name.equals("max") || random.nextBoolean()));
                case "int8" -> NODES.numberNode((byte) integer(8));
                case "int16" -> NODES.numberNode((short) integer(16));
                case "uint16" -> NODES.numberNode((int) integer(16) & 0xffff);
                case "int32" -> NODES.numberNode((int) integer(32));
                case "uint32" -> NODES.numberNode(integer(32) & 0xffffffffL);
                case "int64" -> NODES.numberNode(integer(64));
                case "float64" -> NODES.numberNode(random.nextGaussian());
                case "string" -> NODES.textNode(string());
                case "uuid" -> NODES.textNode(name.equals("min") || name.equals("empty") ? Uuid.ZERO_UUID.toString() : new Uuid(random.nextLong(), random.nextLong()).toString());
                case "bytes", "records" -> NODES.binaryNode(bytes());
                default -> struct(schema.structs.get(type));
            };
        }

        private long integer(int bits) {
            return switch (name) {
                case "max" -> (1L << (bits - 1)) - 1;
                case "min" -> -1L << (bits - 1);
                case "nulls", "empty" -> 1;
                default -> name.startsWith("random") ? random.nextLong() >> random.nextInt(bits) >> (64 - bits) : random.nextInt(bits == 8 ? 100 : 30_000);
            };
        }

        private String string() {
            if (name.equals("empty")) return "";
            StringBuilder text = new StringBuilder(name.equals("max") ? "é世😀" : "");
            int length = name.equals("long") ? 200 : 3 + random.nextInt(12);
            for (int i = 0; i < length; i++) text.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
            return text.toString();
        }

        private byte[] bytes() {
            byte[] bytes = new byte[name.equals("empty") ? 0 : name.equals("long") ? 300 : 1 + random.nextInt(20)];
            random.nextBytes(bytes);
            return bytes;
        }

        /** Tags that no schema has, in the message and in every struct that this version has of it. */
        private void addUnknownTags(Message message, JsonNode fields) throws ReflectiveOperationException {
            message.unknownTaggedFields().add(new RawTaggedField(1000 + random.nextInt(100), bytes()));
            message.unknownTaggedFields().add(new RawTaggedField(2000, "later".getBytes(StandardCharsets.UTF_8)));
            for (JsonNode field : fields) {
                JsonNode nested = schema.structs.get(elementType(field));
                if (nested == null || !Range.of(field.get("versions").asText()).has(version)) continue;
                Field generated = message.getClass().getDeclaredField(camel(field));
                generated.setAccessible(true);
                Object value = generated.get(message);
                if (value instanceof Message struct) addUnknownTags(struct, nested);
                else if (value instanceof Iterable<?> items) for (Object item : items) addUnknownTags((Message) item, nested);
            }
        }

        /** What the converter wrote, with numbers that JavaScript would round as text; it leaves records out, so these are `given`. */
        private JsonNode shown(JsonNode fields, JsonNode json, JsonNode given) {
            ObjectNode node = NODES.objectNode();
            for (JsonNode field : fields) {
                String key = camel(field);
                if (field.get("type").asText().equals("records")) {
                    if (given.has(key)) node.set(key, given.get(key));
                } else if (json.has(key)) {
                    node.set(key, shownValue(field, json.get(key), given.path(key)));
                }
            }
            return node;
        }

        private JsonNode shownValue(JsonNode field, JsonNode json, JsonNode given) {
            if (json.isNull()) return json;
            if (json instanceof ArrayNode items) {
                ArrayNode array = NODES.arrayNode();
                for (int i = 0; i < items.size(); i++) array.add(shownValue(field, items.get(i), given.path(i)));
                return array;
            }
            String type = elementType(field);
            if (type.equals("int64") || type.equals("uint32")) return new TextNode(json.asText());
            return schema.structs.containsKey(type) ? shown(schema.structs.get(type), json, given) : json;
        }
    }
}
